import { KeyturnError } from '../../../../core/errors.ts';
import type { Context } from '../../../context.ts';
import { pathOf, type Rotation, rotationLines } from '../view.ts';

export interface ReasonOption {
  readonly reason?: string;
}

/** One of the orders that a rotation takes, with its reason, which is recorded. */
export async function steer(
  { terminal, api }: Context,
  { reason }: ReasonOption,
  credential: string,
  verb: 'abort' | 'resume' | 'retry' | 'roll-back',
): Promise<void> {
  const path = `${pathOf(credential)}/${verb}`;
  const json = { reason: requireReason(reason) };
  const rotation = (await (await api()).call({ method: 'POST', path, json })) as Rotation;
  terminal.result(rotation, rotationLines(rotation));
}

/** @throws KeyturnError `invalid_input` */
export function requireReason(reason: string | undefined): string {
  if (reason !== undefined && reason.trim() !== '') return reason;
  throw new KeyturnError('invalid_input', 'A reason is recorded with it, and there is none.', {
    fix: 'Give --reason "why".',
  });
}
