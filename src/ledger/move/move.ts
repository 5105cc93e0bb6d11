import { LogSigner, LogVerifier } from '../../audit/checkpoint.ts';
import { TreeFrontier } from '../../audit/tree.ts';
import { isKeyturnError, KeyturnError } from '../../core/errors.ts';
import type { Ledger } from '../ledger.ts';
import type { SignedHead } from '../log/proof.ts';
import { clientConfig } from '../postgres/connection/client-config.ts';
import { type PostgresPlace, schemaOf } from '../postgres/connection/place.ts';
import { cannotConnect, prepareForWriting } from '../postgres/connection/server.ts';
import { Session } from '../postgres/connection/session.ts';
import { checkLogInside } from '../postgres/database/check-log.ts';
import { migrate } from '../postgres/database/migrate.ts';
import { TABLES } from '../sql/columns.ts';
import { openSqliteLedger, type SqliteLedgerOptions } from '../sqlite/open.ts';
import type { TableName } from '../tables.ts';
import { checkpointPages, logPages, tablePages } from './source.ts';
import { MoveTarget, RowsDigest } from './target.ts';

const CONNECT_MS = 10_000;
/** Of one statement. */
const LIMIT_MS = 600_000;

/** Coordination between replicas, which the embedded ledger has none of. */
const MOVED: readonly TableName[] = TABLES.filter((table) => table !== 'fences');

export interface MoveOptions {
  /** File of the embedded ledger. Nobody else may have it open. */
  readonly path: string;
  readonly place: PostgresPlace;
  readonly signer: SqliteLedgerOptions['signer'];
}

/**
 * Copies the embedded ledger into an empty PostgreSQL schema: every row, entry and checkpoint, in one transaction that
 * commits only after all was read back and compared, every entry was hashed anew, and the tree led to the checkpoint
 * that was signed last. The file is not changed. Done once more after it was done, it finds that and does nothing.
 * @throws KeyturnError `ledger_in_use`; `ledger_corrupt` for a file that is not sound, or a copy that is not the same;
 * `conflict` when the database holds another ledger; `ledger_unavailable`.
 */
export async function moveLedger({ path, place, signer }: MoveOptions): Promise<SignedHead> {
  const source = await openSqliteLedger({ path, signer, recheckEntries: Number.MAX_SAFE_INTEGER });
  try {
    const session = await openTarget(place, signer);
    try {
      return await copy(source, path, session, verifierOf(signer));
    } catch (error) {
      throw cannotConnect(place, error);
    } finally {
      // What was not committed is not there.
      await session.end();
    }
  } finally {
    await source.close();
  }
}

async function openTarget(place: PostgresPlace, signer: MoveOptions['signer']): Promise<Session> {
  try {
    const session = await Session.open(clientConfig(place, { statement_timeout: LIMIT_MS }, CONNECT_MS));
    try {
      await prepareForWriting(session);
      await migrate(session, schemaOf(place), LogSigner.create(signer.origin, signer.privateKey));
      return session;
    } catch (error) {
      await session.end();
      throw error;
    }
  } catch (error) {
    throw cannotConnect(place, error);
  }
}

function verifierOf({ origin, privateKey }: MoveOptions['signer']): LogVerifier {
  return new LogVerifier({ origin, keys: [LogSigner.create(origin, privateKey).vkey] });
}

async function copy(source: Ledger, path: string, session: Session, verifier: LogVerifier): Promise<SignedHead> {
  const head = await source.head();
  const target = new MoveTarget(session);
  await session.run({ sql: 'BEGIN' });
  try {
    await target.clear();
  } catch (error) {
    if (!isKeyturnError(error, 'conflict') || !(await isThere(head, session, verifier))) throw error;
    await session.run({ sql: 'ROLLBACK' });
    return head;
  }
  await copyAll(source, path, target, head.size);
  await compare(head, path, session, verifier);
  const { command } = await session.run({ sql: 'COMMIT' });
  if (command !== 'COMMIT') throw new KeyturnError('ledger_unavailable', 'The database rolled the copy back.');
  return head;
}

/** Whatever else stands there is not this one, moved: another instance's has no signature of ours. */
async function isThere(head: SignedHead, session: Session, verifier: LogVerifier): Promise<boolean> {
  try {
    const known = await checkLogInside(session, verifier, Number.MAX_SAFE_INTEGER);
    return known.head.checkpoint === head.checkpoint;
  } catch (error) {
    if (isKeyturnError(error, 'ledger_corrupt')) return false;
    throw error;
  }
}

async function copyAll(source: Ledger, path: string, target: MoveTarget, size: number): Promise<void> {
  for (const table of MOVED) {
    for (const rows of tablePages(path, table)) await target.addRows(table, rows);
  }
  let frontier = TreeFrontier.empty();
  for await (const page of logPages(source, size)) {
    await target.addLog(page);
    frontier = page.frontier;
  }
  for await (const page of checkpointPages(source)) await target.addCheckpoints(page);
  await target.setHead(frontier);
}

/** @throws KeyturnError `ledger_corrupt` naming what is not the same. */
async function compare(head: SignedHead, path: string, session: Session, verifier: LogVerifier): Promise<void> {
  const known = await checkLogInside(session, verifier, Number.MAX_SAFE_INTEGER);
  if (known.head.checkpoint !== head.checkpoint) throw different('newest checkpoint');
  const target = new MoveTarget(session);
  for (const table of MOVED) {
    const digest = new RowsDigest(table);
    for (const rows of tablePages(path, table)) digest.add(rows);
    if (digest.value() !== (await target.digest(table))) throw different(`table ${table}`);
  }
}

function different(what: string): KeyturnError {
  return new KeyturnError('ledger_corrupt', `The copy of the ledger has another ${what}; nothing was committed.`, {
    fix: 'Look after the database server, then move again.',
  });
}
