import type { LogVerifier } from '../../../audit/checkpoint.ts';
import { TreeFrontier } from '../../../audit/tree.ts';
import { frontierPlaces, unpackFrontier } from '../../log/frontier.ts';
import type { LogEnd } from '../../log/log-tail.ts';
import type { SignedHead } from '../../log/proof.ts';
import { checkHead, corrupt, ENTRY_COLUMNS, EntriesCheck } from '../../log/self-check.ts';
import type { Statements } from '../database/connection.ts';
import { TreeRows } from '../database/tree-rows.ts';

/**
 * Compares head, newest checkpoint and the newest `recheck` entries.
 * @throws KeyturnError `ledger_corrupt` saying what does not fit.
 */
export function checkLog(statements: Statements, verifier: LogVerifier, recheck: number): LogEnd & SignedHead {
  const end = readHead(statements);
  const { size } = end.frontier;
  const newest = newestCheckpoint(statements);
  checkHead(end.frontier, newest, verifier);
  checkEntries(statements, end.frontier, Math.max(0, size - recheck));
  return { ...end, size, checkpoint: newest?.checkpoint ?? '' };
}

function readHead(statements: Statements): LogEnd {
  const row = statements.prepare('SELECT size, frontier, time FROM head WHERE id = 1').get();
  if (row === undefined || !(row['frontier'] instanceof Uint8Array)) throw corrupt('it has no head');
  const frontier = unpackFrontier(Number(row['size']), row['frontier']);
  return { frontier, time: Number(row['time']), behind: false };
}

function newestCheckpoint(statements: Statements): SignedHead | null {
  const row = statements.prepare('SELECT size, note FROM checkpoints ORDER BY size DESC LIMIT 1').get();
  return row === undefined ? null : { size: Number(row['size']), checkpoint: String(row['note']) };
}

function checkEntries(statements: Statements, head: TreeFrontier, from: number): void {
  const nodes = new TreeRows(statements);
  const start = frontierPlaces(from).map(({ level, index }) => nodes.node(level, index));
  const check = new EntriesCheck(TreeFrontier.restore(from, start));
  const rows = statements.prepare(`SELECT ${ENTRY_COLUMNS} FROM entries WHERE idx >= ? ORDER BY idx`).iterate(from);
  for (const row of rows) check.add(row);
  check.assertLeadsTo(head);
}
