import { isKeyturnError } from '../../../core/errors.ts';
import { destroyFor } from '../../../credential/version/destroy.ts';
import { findVersion } from '../../../credential/version/promote.ts';
import type { StepContext, StepHandler } from '../../workflow/step.ts';
import { backoff, next, wait } from '../../workflow/step.ts';

/** The old key goes for good, every copy of it, when its certificate is dead. */
export const destroyOld: StepHandler = async (context) => {
  const { row } = context;
  return destroyKey(context, row.replaces ?? 0, next);
};

/** @param then what follows when it is gone. What is frozen is kept, and waited for. */
export async function destroyKey(context: StepContext, number: number, then: () => ReturnType<typeof next>) {
  const { desk, row } = context;
  const version = await findVersion(desk, row.credential, number);
  if (version.state === 'destroyed') return then();
  try {
    const mandate = { actor: 'system', checks: [], facts: { rotation: row.id } };
    await destroyFor(desk, mandate, row.credential, number);
    return then();
  } catch (error) {
    if (isKeyturnError(error, 'held')) return wait(`${error.message} It is destroyed when it is thawed.`, 10_000);
    if (isKeyturnError(error, 'keystore_unavailable') || isKeyturnError(error, 'conflict')) {
      return wait(`${error.message} Trying again.`, backoff(context));
    }
    throw error;
  }
}
