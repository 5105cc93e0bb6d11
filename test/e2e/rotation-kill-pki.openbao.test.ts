import { killedWhileRotating } from './rotation-kill/describe.ts';

killedWhileRotating({ maker: 'pki', store: 'vault' });
