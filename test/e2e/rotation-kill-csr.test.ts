import { killedWhileRotating } from './rotation-kill/describe.ts';

killedWhileRotating({ maker: 'csr' });
// What goes another way where one certificate may live.
killedWhileRotating({ maker: 'csr', live: 1, steps: ['request', 'promote', 'canary', 'revoke', 'prove'] });
