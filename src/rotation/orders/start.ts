import { partsOf } from '../../access/credential-name.ts';
import { timestamp } from '../../core/clock.ts';
import { KeyturnError } from '../../core/errors.ts';
import { newId } from '../../core/ids.ts';
import type { Desk } from '../../credential/desk.ts';
import type { Mandate } from '../../credential/mandate.ts';
import { refused } from '../../credential/refusal.ts';
import type { RotationRow } from '../../ledger/tables.ts';
import { openTask } from '../task/tasks.ts';
import { importText } from '../task/texts.ts';
import type { Facts } from '../workflow/facts.ts';
import { pathOf } from '../workflow/path.ts';
import type { Ground } from './plan.ts';
import { DEFAULT_LEAD_SECONDS } from './timetable.ts';

/** Why one begins: one of the reasons that are known, or a person's words. */
export interface Cause {
  readonly reason: string;
  /** What a person said of it, beside a reason that is known. */
  readonly said?: string;
}

/**
 * Begins a rotation. From then on every server of the ledger goes on with it.
 * @throws KeyturnError `conflict` when one is open already, saying which; `held` and the like by the mandate's checks.
 */
export async function startRotation(desk: Desk, mandate: Mandate, ground: Ground, cause: Cause): Promise<RotationRow> {
  const { credential, current } = ground;
  const row = rotationRow(desk, mandate, ground, cause);
  const outcome = await desk.ledger.commit({
    checks: [
      ...mandate.checks,
      { rule: 'rotation-open', table: 'rotations', none: { credential, ended_at: null } },
      current === null
        ? { rule: 'version-current', table: 'versions', none: { credential, state: 'current' } }
        : {
            rule: 'version-current',
            table: 'versions',
            some: { credential, version: current.version, state: 'current' },
          },
    ],
    writes: [
      ...(await credentialWrite(desk, credential)),
      { insert: 'rotations', row },
      ...(await firstTask(desk, row, ground)),
    ],
    entry: {
      kind: 'rotation.started',
      actor: mandate.actor,
      ...(mandate.request === undefined ? {} : { request: mandate.request }),
      credential,
      ...(current === null ? {} : { version: current.version }),
      data: {
        rotation: row.id,
        ...cause,
        issuer: row.issuer,
        keyBy: ground.way.keyBy,
        live: ground.way.live,
        path: [...pathOf(ground.way)],
        ...mandate.facts,
      },
    },
    ...(mandate.refusal === undefined ? {} : { refusal: mandate.refusal }),
  });
  if (outcome.committed) return row;
  if (outcome.rule === 'rotation-open') throw await alreadyOpen(desk, credential, cause);
  throw refused(outcome.rule);
}

function rotationRow(desk: Desk, { actor }: Mandate, { credential, current, issuer, way }: Ground, cause: Cause) {
  const now = desk.clock.now();
  const path = pathOf(way);
  const { reason, ...said } = cause;
  const facts: Facts = { path, way, ...said };
  return {
    id: newId('rotation', now),
    credential,
    replaces: current?.version ?? null,
    version: null,
    reason,
    asked_by: actor,
    issuer: issuer.name,
    store: null,
    record: null,
    spki: null,
    state: 'running',
    step: path[0] ?? 'await',
    step_since: now,
    waits_for: '',
    revision: 1,
    facts: JSON.stringify(facts),
    created_at: now,
    changed_at: now,
    ended_at: null,
  } satisfies RotationRow;
}

/** Of a credential that has no version yet. */
async function credentialWrite(desk: Desk, name: string) {
  const [known] = await desk.ledger.find('credentials', { name });
  if (known !== undefined) return [];
  return [{ insert: 'credentials', row: { name, ...partsOf(name), created_at: desk.clock.now() } } as const];
}

/** Where the partner makes the key, a person is asked at once; unless the upload is there already. */
async function firstTask(desk: Desk, row: RotationRow, { profile, environment, way }: Ground) {
  if (way.keyBy === 'keyturn') return [];
  const staged = { credential: row.credential, version: { gt: row.replaces ?? 0 }, state: 'staged' } as const;
  if ((await desk.ledger.find('versions', staged, { limit: 1 })).length > 0) return [];
  const { leadTime } = environment.lifecycle.issuance;
  const task = {
    kind: 'import',
    owner: row.asked_by,
    title: `Get a new certificate for ${row.credential} from ${profile.title}`,
    body: importText(profile, environment, row),
    dueAt: row.created_at + (leadTime ?? DEFAULT_LEAD_SECONDS) * 1000,
  } as const;
  return [openTask(row, task, row.created_at)];
}

async function alreadyOpen(desk: Desk, credential: string, { reason }: Cause): Promise<KeyturnError> {
  const [open] = await desk.ledger.find('rotations', { credential, ended_at: null });
  const since = open === undefined ? '' : ` (${open.id}, by ${open.asked_by} since ${timestamp(open.created_at)})`;
  return new KeyturnError('conflict', `A rotation of ${credential} is under way${since}.`, {
    fix: `See where it is: keyturn rotation show ${credential}${reason === 'compromised' ? leakHint(open) : ''}`,
    facts: { rotation: open?.id ?? null },
  });
}

/** By then another version may be current than the one whose key somebody means. */
function leakHint(open: RotationRow | undefined): string {
  const replaces = open?.replaces ?? null;
  if (replaces === null) return '';
  return `; if version ${replaces} is what has leaked, and is not asked to be revoked yet: --compromised --version ${replaces}`;
}
