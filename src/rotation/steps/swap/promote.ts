import { KeyturnError } from '../../../core/errors.ts';
import type { Desk } from '../../../credential/desk.ts';
import { noHold } from '../../../credential/hold/checks.ts';
import { versionSubject } from '../../../credential/hold/hold-switch.ts';
import { findVersion } from '../../../credential/version/promote.ts';
import { moveVersion } from '../../../credential/version/states.ts';
import type { RotationRow, VersionRow } from '../../../ledger/tables.ts';
import { halt, next, type StepHandler } from '../../workflow/step.ts';

/** The new version becomes current, the old one previous, in one commit with the rotation. Clients are told at once. */
export const promoteSuccessor: StepHandler = async (context) => {
  const { desk, row, facts } = context;
  const fresh = await findVersion(desk, row.credential, row.version ?? 0);
  const current = await currentOf(desk, row.credential);
  const promotedAt = facts.promotedAt ?? context.now();
  if (fresh.state === 'current') return next({ facts: { promotedAt } });
  if ((current?.version ?? null) !== row.replaces && !(await isCompromised(desk, row, row.replaces, current))) {
    return halt(`Version ${current?.version ?? 'none'} is current, which is not the one that is replaced.`);
  }
  if (fresh.state !== 'staged') return halt(`Version ${fresh.version} is ${fresh.state}, and can't become current.`);
  if (fresh.not_after < context.now()) return halt(`The certificate of version ${fresh.version} has expired.`);
  if (await isHeld(desk, fresh)) return halt(`Version ${fresh.version} is frozen.`);
  return next({ ...swap(row, fresh, current, promotedAt), facts: { promotedAt } });
};

/** The way back: the old version becomes current again. */
export const restore: StepHandler = async (context) => {
  const { desk, row } = context;
  if (row.replaces === null) throw new KeyturnError('internal', 'There is nothing to go back to.');
  const old = await findVersion(desk, row.credential, row.replaces);
  if (old.state === 'current') return next();
  const current = await currentOf(desk, row.credential);
  const left = current?.version === row.version || (await isCompromised(desk, row, row.version, current));
  if (!left || old.state !== 'previous') {
    return halt(
      `Version ${old.version} is ${old.state}, version ${current?.version ?? 'none'} is current: no way back.`,
    );
  }
  if (old.not_after < context.now()) return halt(`The certificate of version ${old.version} has expired.`);
  if (await isHeld(desk, old)) return halt(`Version ${old.version} is frozen.`);
  return next(swap(row, old, current, context.now()));
};

/** The version that is left has become unusable meanwhile, and nothing is current: all the more reason to go on. */
async function isCompromised(
  desk: Desk,
  { credential }: RotationRow,
  version: number | null,
  current: VersionRow | null,
): Promise<boolean> {
  if (current !== null || version === null) return false;
  return (await findVersion(desk, credential, version)).state === 'compromised';
}

export async function currentOf(desk: Desk, credential: string): Promise<VersionRow | null> {
  const [row] = await desk.ledger.find('versions', { credential, state: 'current' });
  return row ?? null;
}

function swap(row: RotationRow, to: VersionRow, from: VersionRow | null, now: number) {
  const { credential, version, spki } = to;
  return {
    checks: [
      { rule: 'version-state', table: 'versions', some: { credential, version, state: to.state } } as const,
      noHold('version', versionSubject(credential, version)),
      ...(from === null
        ? [{ rule: 'version-current', table: 'versions', none: { credential, state: 'current' } } as const]
        : []),
    ],
    writes: [...(from === null ? [] : [moveVersion(from, 'previous', now)]), moveVersion(to, 'current', now)],
    entry: { kind: 'version.promoted', version, data: { spki, previous: from?.version ?? null, done: row.step } },
  };
}

export async function isHeld(desk: Desk, { credential, version }: VersionRow): Promise<boolean> {
  const held = { target: 'version', subject: versionSubject(credential, version), lifted_at: null } as const;
  return (await desk.ledger.find('holds', held, { limit: 1 })).length > 0;
}
