import { killedWhileRotating } from './rotation-kill/describe.ts';

// Where the issuer or the store of the keys is asked.
killedWhileRotating({
  maker: 'pki',
  store: 'vault',
  steps: ['make-key', 'request', 'await', 'revoke', 'destroy', 'discard'],
});
