import { createHash } from 'node:crypto';
import { LogVerifier } from '../../audit/checkpoint.ts';
import { writeArchive } from '../../backup/archive.ts';
import { HEADER_OCTETS } from '../../backup/header.ts';
import { type Manifest, manifestText } from '../../backup/manifest.ts';
import { parseRecipient } from '../../backup/recipient.ts';
import { CHUNK_OCTETS, encryptBackup, TAG_OCTETS } from '../../backup/stream.ts';
import { timestamp } from '../../core/clock.ts';
import { KeyturnError } from '../../core/errors.ts';
import { newId } from '../../core/ids.ts';
import { type Authority, authorise, denial } from '../../credential/authorise.ts';
import type { Caller } from '../../credential/caller.ts';
import { refused } from '../../credential/refusal.ts';
import type { TakenBackup } from '../../server/routes/backups.ts';
import type { Instance } from '../open.ts';
import { copyPair, octetsOf, type Pair } from './pair.ts';

/** Public facts of a backup: what its entry says, and the caller is told. */
interface Facts {
  readonly backup: string;
  readonly recipient: string;
  /** Entries in it. */
  readonly size: number;
  readonly root: string;
  readonly generation: number;
  /** Generation of each store in it, by name; null for one whose keys rest elsewhere. */
  readonly stores: Readonly<Record<string, number | null>>;
  /** Octets of the encrypted file. */
  readonly octets: number;
  /** SHA-256 of its signed manifest, hex. */
  readonly manifest: string;
}

/** Instances that take one now: a second would double the space that is needed for nothing. */
const busy = new WeakSet<Instance>();

/**
 * Authorise → copy the pair → record → encrypt. Nothing leaves before its entry is durable; the entry itself, and all
 * that is recorded later, is not in the backup.
 * @throws KeyturnError `permission_denied`; `invalid_input` for a recipient that is not pinned, recorded; `conflict` while
 * another one is being taken; as {@link copyPair}.
 */
export async function takeBackup(instance: Instance, caller: Caller, recipient: string): Promise<TakenBackup> {
  const authority = await authorise(instance.desk, caller, 'backup:take', null);
  await requirePinned(instance, caller, recipient);
  if (busy.has(instance)) {
    throw new KeyturnError('conflict', 'A backup is being taken already.', { fix: 'Wait until it is done.' });
  }
  await using undo = new AsyncDisposableStack();
  busy.add(instance);
  undo.defer(() => void busy.delete(instance));
  const pair = undo.use(await copyPair(instance));
  const manifest = manifestOf(instance, caller, pair);
  const note = instance.signer.signText(manifestText(manifest));
  const facts = factsOf(manifest, note, recipient, instance);
  await record(instance, caller, authority, facts);
  const archive = encryptBackup(writeArchive(note, octetsOf(pair.contents)), parseRecipient(recipient));
  return { facts, octets: thenDispose(archive, undo.move()) };
}

async function* thenDispose(octets: AsyncIterable<Buffer>, parts: AsyncDisposableStack): AsyncGenerator<Buffer> {
  await using _parts = parts;
  yield* octets;
}

/** Else whoever may take backups could send the store to a key of their own. */
async function requirePinned({ config, desk }: Instance, caller: Caller, recipient: string): Promise<void> {
  if (config.backupRecipients.includes(recipient)) return;
  await desk.ledger.commit({ entry: denial(caller, 'backup:take', null, 'recipient-not-pinned') });
  throw new KeyturnError('invalid_input', 'The configuration does not name this recipient of backups.', {
    fix: 'Add it to backup.recipients in keyturn.yaml on the server and restart, or name one that is there.',
  });
}

function manifestOf({ config, desk, signer }: Instance, caller: Caller, { head, stores, contents }: Pair): Manifest {
  const now = desk.clock.now();
  const verifier = new LogVerifier({ origin: config.origin, keys: [signer.vkey] });
  const { generation, size } = verifier.open(head.checkpoint);
  return {
    backup: newId('backup', now),
    takenAt: timestamp(now),
    by: caller.principal.id,
    origin: config.origin,
    log: { generation, size, checkpoint: head.checkpoint },
    stores,
    files: contents.map(({ name, size: octets, sha256 }) => ({ name, size: octets, sha256 })),
  };
}

function factsOf(manifest: Manifest, note: string, recipient: string, { config, signer }: Instance): Facts {
  const { backup, log, stores, files } = manifest;
  const plain = files.reduce((sum, { size }) => sum + size, 4 + Buffer.byteLength(note));
  const verifier = new LogVerifier({ origin: config.origin, keys: [signer.vkey] });
  return {
    backup,
    recipient,
    size: log.size,
    root: verifier.open(log.checkpoint).root.toString('base64'),
    generation: log.generation,
    stores: Object.fromEntries(stores.map(({ store, generation }) => [store, generation])),
    octets: HEADER_OCTETS + plain + TAG_OCTETS * Math.max(1, Math.ceil(plain / CHUNK_OCTETS)),
    manifest: createHash('sha256').update(note).digest('hex'),
  };
}

async function record(
  { desk }: Instance,
  caller: Caller,
  { checks, decision }: Authority,
  facts: Facts,
): Promise<void> {
  const outcome = await desk.ledger.commit({
    checks,
    entry: {
      kind: 'backup.taken',
      actor: caller.principal.id,
      request: caller.request,
      data: { ...facts, grant: decision.rule, token: caller.token.id, host: caller.host },
    },
    refusal: denial(caller, 'backup:take', null, 'at-commit'),
  });
  if (!outcome.committed) throw refused(outcome.rule);
}
