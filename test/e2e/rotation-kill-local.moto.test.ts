import { killedWhileRotating } from './rotation-kill/describe.ts';

// Where the store of the keys is asked.
killedWhileRotating({ maker: 'local', store: 'aws', steps: ['make-key', 'destroy', 'discard'] });
