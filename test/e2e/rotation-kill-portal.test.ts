import { killedWhileRotating } from './rotation-kill/describe.ts';

killedWhileRotating({ maker: 'portal', listening: true });
// What goes another way where one certificate may live.
killedWhileRotating({ maker: 'portal', live: 1, steps: ['await', 'promote', 'canary', 'prove'] });
