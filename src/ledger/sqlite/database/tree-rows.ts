import type { TreeNode, TreeNodes } from '../../../audit/tree.ts';
import { NodeCache } from '../../log/node-cache.ts';
import { keepText } from '../../log/proof.ts';
import { noNode } from '../../log/rows.ts';
import type { Statements } from './connection.ts';

/** From here up a node is in the proofs of many entries; lower ones are soon past. */
const SHARED_LEVEL = 4;
const SHARED_NODES = 1_024;

/** The tree as it is committed: rows, behind a bounded cache. Nobody writes to the hashes that it gives. */
export class TreeRows implements TreeNodes {
  readonly #statements: Statements;
  readonly #cache: NodeCache;
  /** Of higher levels, one Buffer for all proofs, whose text is kept. By level, then index. */
  readonly #shared = new Map<number, Map<number, Buffer>>();
  #sharedNodes = 0;

  constructor(statements: Statements, cache: NodeCache = new NodeCache()) {
    this.#statements = statements;
    this.#cache = cache;
  }

  /** @throws KeyturnError `ledger_corrupt` when the row is missing. */
  node(level: number, index: number): Buffer {
    if (level < SHARED_LEVEL) return this.#node(level, index);
    const ofLevel = this.#shared.get(level);
    return ofLevel?.get(index) ?? this.#share(level, index);
  }

  #share(level: number, index: number): Buffer {
    if (this.#sharedNodes === SHARED_NODES) {
      this.#shared.clear();
      this.#sharedNodes = 0;
    }
    const hash = this.#node(level, index);
    keepText(hash);
    const ofLevel = this.#shared.get(level) ?? new Map<number, Buffer>();
    this.#shared.set(level, ofLevel.set(index, hash));
    this.#sharedNodes += 1;
    return hash;
  }

  #node(level: number, index: number): Buffer {
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
