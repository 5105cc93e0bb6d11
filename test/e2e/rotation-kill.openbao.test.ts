import { killedWhileRotating } from './rotation-kill/describe.ts';

killedWhileRotating('local', 'vault', ['make-key:written', 'make-key:acted', 'destroy:acted']);
killedWhileRotating('csr-abort', 'vault', ['discard:destroyed', 'discard:acted']);
killedWhileRotating('pki', 'file', ['request:answered', 'request:acted', 'revoke:told']);
killedWhileRotating('pki-abort', 'file');
