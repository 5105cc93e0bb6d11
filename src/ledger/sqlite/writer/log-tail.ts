import type { LogSigner } from '../../../audit/checkpoint.ts';
import type { RecordedEntry } from '../../../audit/recorded.ts';
import type { TreeFrontier, TreeNode } from '../../../audit/tree.ts';
import { KeyturnError } from '../../../core/errors.ts';
import type { Statements } from '../database/connection.ts';
import type { SignedHead } from '../database/proof.ts';

/** Where the log ends as of the newest durable commit. */
export interface LogEnd {
  readonly frontier: TreeFrontier;
  /** Time of the newest entry, milliseconds since the epoch; 0 for an empty log. */
  readonly time: number;
}

/** What one transaction appends. It works on a copy: until the commit is durable nothing else knows of it. */
export class LogTail {
  readonly #statements: Statements;
  readonly #before: number;
  readonly #frontier: TreeFrontier;
  readonly #nodes: TreeNode[] = [];
  /** Of every entry in this transaction. */
  readonly time: number;

  constructor(statements: Statements, end: LogEnd, time: number) {
    this.#statements = statements;
    this.#before = end.frontier.size;
    this.#frontier = end.frontier.clone();
    this.time = time;
  }

  get size(): number {
    return this.#frontier.size;
  }

  get isEmpty(): boolean {
    return this.#frontier.size === this.#before;
  }

  /** Subtrees that this transaction completed. */
  get nodes(): readonly TreeNode[] {
    return this.#nodes;
  }

  append({ entry, json, leafHash }: RecordedEntry): void {
    this.#statements
      .prepare('INSERT INTO entries (idx, time, kind, actor, credential, json, leaf) VALUES (?, ?, ?, ?, ?, ?, ?)')
      .run(entry.index, this.time, entry.kind, entry.actor, entry.credential ?? null, json, leafHash);
    for (const node of this.#frontier.append(leafHash)) {
      this.#nodes.push(node);
      if (node.level === 0) continue;
      this.#statements
        .prepare('INSERT INTO tree_nodes (level, idx, hash) VALUES (?, ?, ?)')
        .run(node.level, node.index, node.hash);
    }
  }

  /**
   * Writes head and checkpoint. The size is compared and set, so that no two heads can ever follow the same one.
   * @throws KeyturnError `ledger_corrupt` when the head was moved by somebody else.
   */
  sign(signer: LogSigner): SignedHead {
    const size = this.#frontier.size;
    const checkpoint = signer.sign({ size, root: this.#frontier.root() });
    const moved = this.#statements
      .prepare('UPDATE head SET size = ?, frontier = ?, time = ? WHERE id = 1 AND size = ?')
      .run(size, Buffer.concat(this.#frontier.hashes()), this.time, this.#before);
    if (moved.changes !== 1) {
      throw new KeyturnError('ledger_corrupt', `The head of the log is not at ${this.#before} any more.`, {
        fix: 'Find out what else writes to the ledger file, stop it, and start again.',
      });
    }
    this.#statements.prepare('INSERT INTO checkpoints (size, note) VALUES (?, ?)').run(size, checkpoint);
    return { size, checkpoint };
  }

  /** For after the commit. */
  end(): LogEnd {
    return { frontier: this.#frontier, time: this.time };
  }
}
