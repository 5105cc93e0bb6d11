import { killedWhileRotating } from './rotation-kill/describe.ts';

killedWhileRotating('local', 'aws', ['make-key:written', 'make-key:acted', 'destroy:acted']);
killedWhileRotating('csr-abort', 'aws', ['discard:destroyed', 'discard:acted']);
