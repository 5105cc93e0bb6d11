import { killedWhileRotating } from './rotation-kill/describe.ts';

killedWhileRotating({ maker: 'portal', listening: true });
killedWhileRotating({ maker: 'portal', live: 1 });
