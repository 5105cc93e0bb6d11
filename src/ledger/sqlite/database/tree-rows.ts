import type { TreeNode, TreeNodes } from '../../../audit/tree.ts';
import { NodeCache } from '../../log/node-cache.ts';
import { noNode } from '../../log/rows.ts';
import type { Statements } from './connection.ts';

/** The tree as it is committed: rows, behind a bounded cache. */
export class TreeRows implements TreeNodes {
  readonly #statements: Statements;
  readonly #cache: NodeCache;

  constructor(statements: Statements, cache: NodeCache = new NodeCache()) {
    this.#statements = statements;
    this.#cache = cache;
  }

  /** @throws KeyturnError `ledger_corrupt` when the row is missing. */
  node(level: number, index: number): Buffer {
    const kept = this.#cache.get(level, index);
    if (kept !== undefined) return kept;
    const hash = this.#read(level, index);
    this.#cache.put(level, index, hash);
    return hash;
  }

  /** Only for nodes whose commit is durable: proofs are made of what stands here. */
  adopt(nodes: readonly TreeNode[]): void {
    for (const { level, index, hash } of nodes) this.#cache.put(level, index, hash);
  }

  #read(level: number, index: number): Buffer {
    const row =
      level === 0
        ? this.#statements.prepare('SELECT leaf AS hash FROM entries WHERE idx = ?').get(index)
        : this.#statements.prepare('SELECT hash FROM tree_nodes WHERE level = ? AND idx = ?').get(level, index);
    const hash = row?.['hash'];
    if (hash instanceof Uint8Array) return Buffer.from(hash);
    throw noNode(level, index);
  }
}
