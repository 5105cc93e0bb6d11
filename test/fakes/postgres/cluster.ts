import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Client } from 'pg';
import type { PostgresPlace } from '../../../src/ledger/postgres/connection/place.ts';
import { freePort } from '../openbao/free-port.ts';
import { postgresPrograms } from './programs.ts';

/** PostgreSQL refuses to run as root; then it runs as `nobody`. */
const NOBODY = 65_534;
const USER = 'keyturn';
const RESTARTS = 50;

export interface ClusterOptions {
  /** Settings of the server, e.g. `{ fsync: 'off' }`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Certificate and key of the server, PEM: TLS is on then. */
  readonly tls?: { readonly certificatePem: string; readonly keyPem: string };
  /** Follow this one as its hot standby, named by the setting `cluster_name`. */
  readonly standbyOf?: PostgresCluster;
}

/** A PostgreSQL of its own on a loopback port, in a folder of its own; passwords by SCRAM, syncs on. */
export class PostgresCluster implements AsyncDisposable {
  readonly port: number;
  readonly #folder: string;
  readonly #options: ClusterOptions;
  #server: ChildProcess | undefined;
  #log: string[] = [];
  #databases = 0;

  private constructor(folder: string, port: number, options: ClusterOptions) {
    this.#folder = folder;
    this.port = port;
    this.#options = options;
  }

  static async start(options: ClusterOptions = {}): Promise<PostgresCluster> {
    const folder = await mkdtemp(join(tmpdir(), 'keyturn-postgres-'));
    const cluster = new PostgresCluster(folder, await freePort(), options);
    try {
      await cluster.#initialise();
      await cluster.start();
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Of the server itself; those that it starts are its children. */
  get pid(): number {
    return this.#server?.pid ?? 0;
  }

  /** The password alone, mode 0600. */
  get passwordFile(): string {
    return join(this.#folder, 'password');
  }

  /** An empty database of its own, as an adapter is told of it; `port` for one that is reached through a proxy. */
  async database(port: number = this.port): Promise<PostgresPlace> {
    this.#databases += 1;
    const database = `ledger_${this.#databases}`;
    await this.sql(`CREATE DATABASE ${database}`);
    return { host: '127.0.0.1', port, database, user: USER, passwordFile: this.passwordFile };
  }

  /** Runs statements behind the adapter's back; the rows of the last one. */
  async sql(text: string, database = 'postgres'): Promise<Record<string, unknown>[]> {
    const password = this.#password;
    const client = new Client({ host: '127.0.0.1', port: this.port, user: USER, password, database });
    await client.connect();
    try {
      const result = await client.query(text);
      return (Array.isArray(result) ? result.at(-1) : result).rows;
    } finally {
      await client.end();
    }
  }

  async start(): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      if (await this.#tryStart()) return;
      // After a kill the backends of before may hold its memory for a moment.
      if (tries === RESTARTS) throw new Error(`PostgreSQL did not start:\n${this.#log.join('\n')}`);
    }
  }

  /** In good order, as an operator restarts it: open transactions are ended. */
  async restart(): Promise<void> {
    await this.#end('SIGINT');
    await this.start();
  }

  async stop(): Promise<void> {
    await this.#end('SIGINT');
  }

  /** As a crash: nothing is finished. It can be started again. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end('SIGQUIT');
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** The rules of who may enter, in place of those that initdb made. */
  async admit(rules: readonly string[]): Promise<void> {
    await writeFile(join(this.#folder, 'data', 'pg_hba.conf'), `${rules.join('\n')}\n`);
    this.#server?.kill('SIGHUP');
  }

  #password = randomBytes(12).toString('hex');

  async #initialise(): Promise<void> {
    const { tls, standbyOf } = this.#options;
    if (standbyOf !== undefined) this.#password = standbyOf.#password;
    await writeFile(this.passwordFile, `${this.#password}\n`, { mode: 0o600 });
    if (tls !== undefined) {
      await writeFile(join(this.#folder, 'server.crt'), tls.certificatePem);
      await writeFile(join(this.#folder, 'server.key'), tls.keyPem, { mode: 0o600 });
    }
    if (isRoot()) {
      await chmod(this.#folder, 0o711);
      for (const name of ['.', 'password', ...(tls === undefined ? [] : ['server.key'])]) {
        await chown(join(this.#folder, name), NOBODY, NOBODY);
      }
    }
    if (standbyOf === undefined) await this.#makeData();
    else await this.#copyData(standbyOf.port);
    // What only root could read before is now the test's own to read.
    if (isRoot()) await chown(this.passwordFile, 0, 0);
  }

  async #makeData(): Promise<void> {
    const how = ['--no-sync', '--auth=scram-sha-256', '--encoding=UTF8', '--locale=C', `--username=${USER}`];
    await this.#run('initdb', ['-D', join(this.#folder, 'data'), ...how, `--pwfile=${this.passwordFile}`]);
  }

  async #copyData(port: number): Promise<void> {
    const from = `host=127.0.0.1 port=${port} user=${USER} password=${this.#password}`;
    const how = ['--no-sync', '--checkpoint=fast', '--write-recovery-conf', '--wal-method=stream'];
    await this.#run('pg_basebackup', ['-D', join(this.#folder, 'data'), ...how, '-d', from]);
  }

  async #run(program: string, args: readonly string[]): Promise<void> {
    const child = this.#spawn(program, args);
    const said = this.#listen(child);
    const [code] = await once(child, 'close');
    if (code !== 0) throw new Error(`${program} failed:\n${said.join('\n')}`);
  }

  async #tryStart(): Promise<boolean> {
    const { tls, settings = {} } = this.#options;
    const all = {
      listen_addresses: '127.0.0.1',
      unix_socket_directories: this.#folder,
      max_connections: '60',
      shared_buffers: '16MB',
      ...(tls === undefined
        ? {}
        : {
            ssl: 'on',
            ssl_cert_file: join(this.#folder, 'server.crt'),
            ssl_key_file: join(this.#folder, 'server.key'),
          }),
      ...settings,
    };
    const flags = Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const server = this.#spawn('postgres', ['-D', join(this.#folder, 'data'), '-p', String(this.port), ...flags]);
    const ready = Promise.withResolvers<boolean>();
    this.#log = this.#listen(server, (line) => {
      if (/database system is ready to accept (?:read-only )?connections/.test(line)) ready.resolve(true);
    });
    server.on('close', () => ready.resolve(false));
    this.#server = server;
    return ready.promise;
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const server = this.#server;
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return;
    const ended = once(server, 'close');
    server.kill(signal);
    await ended;
  }

  #spawn(program: string, args: readonly string[]): ChildProcess {
    const child = spawn(join(postgresPrograms(), program), args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      cwd: this.#folder,
      env: { PATH: process.env['PATH'], LC_ALL: 'C' },
      ...(isRoot() ? { uid: NOBODY, gid: NOBODY } : {}),
    });
    const killed = () => child.kill('SIGQUIT');
    process.once('exit', killed);
    child.once('close', () => process.removeListener('exit', killed));
    return child;
  }

  #listen(child: ChildProcess, onLine: (line: string) => void = () => undefined): string[] {
    const said: string[] = [];
    for (const stream of [child.stdout, child.stderr]) {
      if (stream === null) continue;
      createInterface(stream).on('line', (line) => {
        said.push(line);
        onLine(line);
      });
    }
    return said;
  }
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}
