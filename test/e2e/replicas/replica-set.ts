import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../../src/compose/config.ts';
import { moveToPostgres } from '../../../src/compose/ledger/move-to-postgres.ts';
import { cannotAsk } from '../../../src/compose/master-key.ts';
import { freePort } from '../../fakes/openbao/free-port.ts';
import { PostgresCluster } from '../../fakes/postgres/cluster.ts';
import { edit, TestInstance } from '../instance.ts';

export interface ReplicaOptions {
  readonly servers: number;
  /** Done on the only server, before the ledger moves: policy, tokens, keys. Then every server has the same files. */
  readonly prepare: (first: TestInstance) => Promise<void>;
}

/** Folders of several servers over one PostgreSQL, each with a port that stays its own. Nothing is served yet. */
export class ReplicaSet implements AsyncDisposable {
  readonly cluster: PostgresCluster;
  readonly database: string;
  readonly homes: readonly string[];
  readonly urls: readonly string[];
  readonly #undo: AsyncDisposableStack;

  private constructor(
    cluster: PostgresCluster,
    database: string,
    servers: readonly { readonly home: string; readonly url: string }[],
    undo: AsyncDisposableStack,
  ) {
    this.cluster = cluster;
    this.database = database;
    this.homes = servers.map(({ home }) => home);
    this.urls = servers.map(({ url }) => url);
    this.#undo = undo;
  }

  static async start({ servers, prepare }: ReplicaOptions): Promise<ReplicaSet> {
    await using undo = new AsyncDisposableStack();
    const cluster = undo.use(await PostgresCluster.start());
    const first = await TestInstance.start();
    undo.defer(() => rm(first.home, { recursive: true, force: true }));
    try {
      await prepare(first);
    } finally {
      await first.serving.stop();
    }
    const { host, port, database, user, passwordFile = '' } = await cluster.database();
    const setting = { host, port: port ?? 0, database, user, 'password-file': passwordFile };
    await moveToPostgres(await loadConfig(first.home), setting, cannotAsk);
    const homes = [first.home];
    while (homes.length < servers) {
      const home = await mkdtemp(join(tmpdir(), 'keyturn-replica-'));
      undo.defer(() => rm(home, { recursive: true, force: true }));
      const wanted = (path: string) => !/\.(?:lock|sock)$/.test(path);
      await cp(first.home, home, { recursive: true, filter: wanted });
      homes.push(home);
    }
    const all = await Promise.all(homes.map(async (home) => ({ home, url: await ownPort(home) })));
    return new ReplicaSet(cluster, database, all, undo.move());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#undo.disposeAsync();
  }
}

async function ownPort(home: string): Promise<string> {
  const port = await freePort();
  await edit(join(home, 'keyturn.yaml'), (config) => ({
    ...config,
    listen: { ...(config['listen'] as object), port },
  }));
  return `https://localhost:${port}`;
}
