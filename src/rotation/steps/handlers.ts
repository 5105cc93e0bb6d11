import type { Step } from '../workflow/path.ts';
import type { StepHandler } from '../workflow/step.ts';
import { awaitVersion } from './issue/await.ts';
import { makeKey } from './issue/make-key.ts';
import { requestCertificate } from './issue/request.ts';
import { destroyOld } from './leave/destroy.ts';
import { discard } from './leave/discard.ts';
import { drain } from './leave/drain.ts';
import { prove } from './leave/prove.ts';
import { revoke } from './leave/revoke.ts';
import { canary } from './swap/canary.ts';
import { promoteSuccessor, restore } from './swap/promote.ts';
import { shareFirst } from './swap/share.ts';

export const HANDLERS: Readonly<Record<Step, StepHandler>> = {
  'make-key': makeKey,
  request: requestCertificate,
  await: awaitVersion,
  canary,
  share: shareFirst,
  promote: promoteSuccessor,
  drain,
  revoke,
  prove,
  destroy: destroyOld,
  restore,
  discard,
};
