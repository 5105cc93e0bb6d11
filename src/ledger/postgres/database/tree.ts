import type { TreeNode, TreeNodes } from '../../../audit/tree.ts';
import { NodeCache } from '../../log/node-cache.ts';
import { noNode } from '../../log/rows.ts';
import { type NodePlace, wantedNodes } from '../../log/wanted-nodes.ts';
import type { Answer, Query } from '../connection/session.ts';

const NODES = `SELECT level, idx, hash FROM tree_nodes
  JOIN unnest($1::int[], $2::bigint[]) AS wanted (level, idx) USING (level, idx)
  UNION ALL SELECT 0, idx, leaf FROM entries WHERE idx = ANY ($3::bigint[])`;

/** Proofs over the tree in the database, with a cache of what was read: complete subtrees never change. */
export class Tree {
  readonly #cache: NodeCache;

  constructor(cache: NodeCache = new NodeCache()) {
    this.#cache = cache;
  }

  /**
   * Makes a proof. `own` are nodes of a transaction that is not durable yet; they are not kept. What neither they nor
   * the cache have is read through `run`, all at once.
   * @throws KeyturnError `ledger_corrupt` for a node that is missing.
   */
  async prove<T>(
    run: (query: Query) => Promise<Answer>,
    prove: (nodes: TreeNodes) => T,
    own: readonly TreeNode[] = [],
  ): Promise<T> {
    const known = new Map(own.map(({ level, index, hash }) => [keyOf(level, index), hash]));
    const missing: NodePlace[] = [];
    for (const { level, index } of wantedNodes(prove)) {
      if (known.has(keyOf(level, index))) continue;
      const kept = this.#cache.get(level, index);
      if (kept === undefined) missing.push({ level, index });
      else known.set(keyOf(level, index), kept);
    }
    for (const { level, index, hash } of missing.length === 0 ? [] : await read(run, missing)) {
      this.#cache.put(level, index, hash);
      known.set(keyOf(level, index), hash);
    }
    return prove({
      node(level, index) {
        const hash = known.get(keyOf(level, index));
        if (hash === undefined) throw noNode(level, index);
        return hash;
      },
    });
  }

  /** Only for nodes whose commit is durable: proofs are made of what stands here. */
  adopt(nodes: readonly TreeNode[]): void {
    for (const { level, index, hash } of nodes) this.#cache.put(level, index, hash);
  }
}

async function read(run: (query: Query) => Promise<Answer>, places: readonly NodePlace[]): Promise<TreeNode[]> {
  const inner = places.filter(({ level }) => level > 0);
  const leaves = places.filter(({ level }) => level === 0);
  const values = [inner.map(({ level }) => level), inner.map(({ index }) => index), leaves.map(({ index }) => index)];
  const { rows } = await run({ sql: NODES, values });
  return rows.map(({ level, idx, hash }) => ({ level: Number(level), index: Number(idx), hash: hash as Buffer }));
}

function keyOf(level: number, index: number): string {
  return `${level} ${index}`;
}
