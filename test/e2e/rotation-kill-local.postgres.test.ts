import { killedWhileRotating } from './rotation-kill/describe.ts';

killedWhileRotating({ maker: 'local', ledger: 'postgres' });
