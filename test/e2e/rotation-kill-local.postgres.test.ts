import { killedWhileRotating } from './rotation-kill/describe.ts';

// Where most is written at once.
killedWhileRotating({
  maker: 'local',
  ledger: 'postgres',
  steps: ['make-key', 'promote', 'drain', 'revoke', 'destroy', 'discard'],
});
