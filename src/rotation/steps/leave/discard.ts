import { isKeyturnError } from '../../../core/errors.ts';
import { storeNamed } from '../../../credential/store/settle-moves.ts';
import { credentialPlace, storePlace } from '../../../credential/store/store-queue.ts';
import { attested } from '../../../credential/version/settle.ts';
import { moveVersion } from '../../../credential/version/states.ts';
import type { RevokeRequest } from '../../../issuer/driver.ts';
import type { Issuer } from '../../../issuer/issuer.ts';
import type { VersionRow } from '../../../ledger/tables.ts';
import { closeTasks, openTask, TASK_KINDS } from '../../task/tasks.ts';
import { revocationText } from '../../task/texts.ts';
import { byHandOf, contactOf } from '../../workflow/by-hand.ts';
import type { Progress } from '../../workflow/journal.ts';
import { backoff, halt, next, type StepContext, type StepHandler, wait } from '../../workflow/step.ts';
import { destroyKey } from './destroy.ts';

/**
 * What the rotation has made goes away: every certificate for its key is revoked, its version retired, a key of ours
 * destroyed. A key that the partner made is kept, for it can't be had again.
 */
export const discard: StepHandler = async (context) => {
  try {
    const version = await versionOf(context);
    return version === null ? await discardKey(context) : await discardVersion(context, version);
  } catch (error) {
    const transient = isKeyturnError(error, 'issuer_unavailable') || isKeyturnError(error, 'keystore_unavailable');
    if (!transient && !isKeyturnError(error, 'issuer_refused')) throw error;
    return wait(`${error.message} Trying again.`, backoff(context));
  }
};

async function versionOf({ desk, row }: StepContext): Promise<VersionRow | null> {
  if (row.version === null) return null;
  const [version] = await desk.ledger.find('versions', { credential: row.credential, version: row.version });
  return version ?? null;
}

async function discardVersion(context: StepContext, version: VersionRow) {
  const { row, journal, now, facts } = context;
  const tasks = closeTasks(row, TASK_KINDS, 'cancelled', now());
  if (version.state === 'staged' || version.state === 'previous') {
    await journal.note('version.retired', {
      writes: [moveVersion(version, 'retired', now()), ...tasks],
      entry: {
        kind: 'version.retired',
        version: version.version,
        data: { spki: version.spki, from: version.state, liveLeases: 0 },
      },
    });
    return wait('Retired; its certificate is revoked next.', 0);
  }
  if (version.state === 'current') {
    return halt(`Version ${version.version} is current: it is revoked and retired when another one is.`);
  }
  const told = await haveRevoked(context, version);
  if (facts.way.keyBy === 'partner') return next(told);
  return destroyKey(context, version.version, () => next(told));
}

/** Through the issuer, else by a person, whom nothing waits for: no one uses this certificate. */
async function haveRevoked(context: StepContext, version: VersionRow): Promise<Progress> {
  const { row, profile, environment, issuer, now } = context;
  const reason = 'cessationOfOperation';
  if (environment.lifecycle.revocation.by === 'issuer') {
    const byHand = byHandOf(profile, environment);
    const kind = await askIssuer(issuer, { certificate: version.certificate, reason, byHand });
    context.point('discard:revoked');
    if (kind === 'revoked') return {};
  }
  const { revocation } = environment.lifecycle;
  const contact = contactOf(profile, revocation.contact);
  const task = {
    kind: 'revoke',
    owner: contact?.role ?? row.asked_by,
    title: `Have the unused certificate ${version.serial} of ${row.credential} revoked`,
    body: revocationText(profile, row, version, contact, reason),
    dueAt: now() + revocation.deadline * 1000,
  } as const;
  return { writes: [openTask(row, task, now())] };
}

/** One that it does not know is left to a person. */
async function askIssuer(issuer: Issuer, request: RevokeRequest): Promise<'revoked' | 'asked'> {
  try {
    return (await issuer.revoke(request)).kind;
  } catch (error) {
    if (isKeyturnError(error, 'issuer_refused')) return 'asked';
    throw error;
  }
}

/** A key without a version: what was issued for it, if anything, and the key itself. */
async function discardKey(context: StepContext) {
  const { row, facts, desk, journal } = context;
  const { record, store: name } = row;
  if (record === null || name === null) return next();
  const maybe = facts.requestedAt === undefined ? [] : await revokeIssued(context);
  const store = storeNamed(desk, name);
  return desk.storeQueue.run([storePlace(name), credentialPlace(row.credential)], async ({ checks }) => {
    // Interrupted after this, nobody asks the issuer again: so what is left to a person is on record with it.
    // From here on the ledger knows the store without it, and a record whose fingerprint is not known is explained.
    const without = await attested(desk, name, [record]);
    await journal.note('version.key-destroy-intended', { checks, set: { spki: null }, writes: [...without, ...maybe] });
    await store.destroy(record);
    context.point('discard:destroyed');
    return next({
      writes: await attested(desk, name),
      entry: { kind: 'version.key-destroyed', data: { store: name, record, done: row.step } },
    });
  });
}

/** Everything that the issuer has issued for our key. Where it can't say, a person looks. */
async function revokeIssued(context: StepContext) {
  const { row, issuer, environment, profile, now } = context;
  if (row.spki === null) return [];
  const found = await issuer.find(row.spki);
  for (const { certificate, revoked } of found ?? []) {
    if (revoked) continue;
    const byHand = byHandOf(profile, environment);
    await issuer.revoke({ certificate: certificate.pem, reason: 'cessationOfOperation', byHand });
    context.point('discard:revoked');
  }
  if (found !== null) return [];
  const body = {
    steps: [
      `Look at the issuer ${issuer.name} for a certificate of the key with SHA-256 ${row.spki}.`,
      'If there is one, have it revoked. Then: keyturn task done TASK --note "…"',
    ],
    spki: row.spki,
  };
  const title = `A certificate of an aborted rotation may exist (${row.credential})`;
  return [openTask(row, { kind: 'look', owner: row.asked_by, title, body, dueAt: now() } as const, now())];
}
