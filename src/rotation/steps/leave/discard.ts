import { timestamp } from '../../../core/clock.ts';
import { isKeyturnError } from '../../../core/errors.ts';
import { storeNamed } from '../../../credential/store/settle-moves.ts';
import { credentialPlace, storePlace } from '../../../credential/store/store-queue.ts';
import { attested } from '../../../credential/version/settle.ts';
import { moveVersion } from '../../../credential/version/states.ts';
import type { FoundCertificate, Revoked } from '../../../issuer/driver.ts';
import type { Issuer } from '../../../issuer/issuer.ts';
import type { RevocationReason } from '../../../issuer/reason.ts';
import type { Write } from '../../../ledger/change.ts';
import type { VersionRow } from '../../../ledger/tables.ts';
import type { Certificate } from '../../../x509/certificate.ts';
import { closeTasks, openTask, TASK_KINDS } from '../../task/tasks.ts';
import { type Revocable, revocationText } from '../../task/texts.ts';
import { byHandOf, contactOf } from '../../workflow/by-hand.ts';
import { haveIssuerRevoke, issuerOrPerson } from '../../workflow/issuer.ts';
import type { Progress } from '../../workflow/journal.ts';
import { backoff, halt, next, type StepContext, type StepHandler, wait } from '../../workflow/step.ts';
import { destroyKey } from './destroy.ts';
import { revocationReason } from './reason.ts';

/** Between two looks at the issuer for what may come late, milliseconds. */
const LOOK_MS = 30_000;

/**
 * What the rotation has made goes away: every certificate for its key is revoked, its version retired, a key of ours
 * destroyed. A key that the partner made is kept, for it can't be had again.
 */
export const discard: StepHandler = async (context) => {
  try {
    const version = await versionOf(context);
    return version === null ? await discardKey(context) : await discardVersion(context, version);
  } catch (error) {
    if (!isKeyturnError(error, 'issuer_unavailable') && !isKeyturnError(error, 'keystore_unavailable')) throw error;
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
  const { row, profile, environment, facts } = context;
  const reason = revocationReason('given-up', row, version);
  // Asked for twice, another certificate of the same key may have come about.
  const twice = facts.requestedAt !== undefined && context.issuer?.can.finds === true;
  const others = twice ? await revokeIssued(context, reason, version.serial) : [];
  if (environment.lifecycle.revocation.by === 'issuer') {
    const byHand = byHandOf(profile, environment);
    const answer = await haveIssuerRevoke(issuerOrPerson(context), {
      certificate: version.certificate,
      reason,
      byHand,
    });
    context.point('discard:revoked');
    if (answer.kind === 'revoked') {
      await noteRevoked(context, version.serial, reason, answer);
      return { writes: others };
    }
  }
  return { writes: [...others, askPerson(context, version, reason)] };
}

/** What nobody uses, and the issuer does not revoke. */
function askPerson({ row, profile, environment, now }: StepContext, made: Revocable, reason: RevocationReason): Write {
  const { revocation } = environment.lifecycle;
  const contact = contactOf(profile, revocation.contact);
  const task = {
    kind: 'revoke',
    owner: contact?.role ?? row.asked_by,
    title: `Have the unused certificate ${made.serial} of ${row.credential} revoked`,
    body: revocationText(profile, row, made, contact, reason),
    dueAt: now() + revocation.deadline * 1000,
  } as const;
  return openTask(row, task, now());
}

/** With the reason, which the issuer may not keep. */
function noteRevoked(
  { journal, row }: StepContext,
  serial: string,
  reason: RevocationReason,
  { reasonKept }: Revoked,
): Promise<void> {
  const kind = 'rotation.certificate-revoked';
  return journal.note(kind, { entry: { kind, data: { serial, by: row.issuer, reason, reasonKept } } });
}

/** A key without a version: what was issued for it, if anything, and the key itself. */
async function discardKey(context: StepContext) {
  const { row, facts, desk, journal } = context;
  const { record, store: name } = row;
  if (record === null || name === null) return next();
  const maybe =
    facts.requestedAt === undefined ? [] : await revokeIssued(context, revocationReason('given-up', row, null));
  const left = lookedUntil(context) - context.now();
  if (left > 0) {
    const until = timestamp(lookedUntil(context));
    return wait(
      `A certificate may still come of the request: looking at the issuer until ${until}.`,
      Math.min(left, LOOK_MS),
    );
  }
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

/**
 * A request may be under way as its rotation is aborted, and an answer that nobody waits for any more may have been a
 * certificate: the issuer is looked at for longer than one takes.
 */
function lookedUntil({ row, facts, issuer, pace }: StepContext): number {
  if (facts.requestedAt === undefined || issuer?.can.finds !== true) return 0;
  return (facts.undone?.at ?? row.step_since) + pace.lateAnswerMs;
}

/**
 * Everything that the issuer has issued for our key, but for the certificate of that serial, which is seen to elsewhere. What
 * it refuses to revoke a person has revoked. Where it can't say, or refuses to, or is gone, a person looks.
 */
async function revokeIssued(context: StepContext, reason: RevocationReason, but?: string): Promise<Write[]> {
  const { row, environment, profile } = context;
  if (row.spki === null) return [];
  const found = await findIssued(issuerOrPerson(context), row.spki);
  if (found === null) return [askToLook(context, row.spki)];
  const left: Write[] = [];
  for (const { certificate, revoked } of found) {
    if (revoked || certificate.serial === but) continue;
    const byHand = byHandOf(profile, environment);
    const answer = await haveIssuerRevoke(context.issuer, { certificate: certificate.pem, reason, byHand });
    context.point('discard:revoked');
    if (answer.kind === 'revoked') await noteRevoked(context, certificate.serial, reason, answer);
    else left.push(askPerson(context, revocable(certificate), reason));
  }
  return left;
}

/** Null where the issuer can't say, or refuses to, or there is none. */
async function findIssued(issuer: Issuer | null, spki: string): Promise<readonly FoundCertificate[] | null> {
  try {
    return issuer === null ? null : await issuer.find(spki);
  } catch (error) {
    if (isKeyturnError(error, 'issuer_refused')) return null;
    throw error;
  }
}

function revocable({ pem, notAfter, serial, subject, issuer, spki }: Certificate): Revocable {
  return { serial, subject, issuer, spki, not_after: notAfter, certificate: pem };
}

function askToLook({ row, now }: StepContext, spki: string): Write {
  const body = {
    steps: [
      `Look at the issuer ${row.issuer} for a certificate of the key with SHA-256 ${spki}.`,
      'If there is one, have it revoked. Then: keyturn task done TASK --note "…"',
    ],
    spki,
  };
  const title = `A certificate of an aborted rotation may exist (${row.credential})`;
  return openTask(row, { kind: 'look', owner: row.asked_by, title, body, dueAt: now() } as const, now());
}
