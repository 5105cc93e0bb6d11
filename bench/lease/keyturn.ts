import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parse, stringify } from 'yaml';
import { multipart } from '../../src/cli/api/form.ts';
import type { PostgresPlace } from '../../src/ledger/postgres/connection/place.ts';
import { freePort } from '../../test/fakes/openbao/free-port.ts';
import { PostgresCluster } from '../../test/fakes/postgres/cluster.ts';
import { run } from '../../test/fakes/programs.ts';
import type { Contender } from './contender.ts';
import { type LogRows, rowsOfDatabase, rowsOfFile } from './log-rows.ts';
import { type Access, Witness } from './witness.ts';
import type { LoadResult, Plan } from './wrk.ts';

const OWN_CHECKOUT = fileURLToPath(new URL('../..', import.meta.url));
const CREDENTIAL = 'lean/sandbox';
/** Bindings beside the one that counts, so that the policy is of a real size. */
const OTHER_BINDINGS = 40;

export interface KeyturnOptions {
  readonly name: string;
  /** An empty folder of its own, owner-only. */
  readonly home: string;
  /** Another checkout of Keyturn, to compare two versions. Default: this one. */
  readonly checkout?: string;
  /** Run `dist/server` of the checkout. Default: its sources. */
  readonly built?: boolean;
  /** Key, certificate and chain, PEM. */
  readonly pem: string;
  /** How many client processes the requests come from, each with an HPKE key of its own. */
  readonly clients: number;
  /** So many servers over one PostgreSQL. Default: one, over a file. */
  readonly replicas?: number;
  /** Changes the configuration after init. */
  readonly configure?: (config: Record<string, unknown>) => Record<string, unknown>;
}

/**
 * A Keyturn as an operator runs it: the command, its own process, its log in a file; a policy, a token, a credential
 * with a companion. Every answer of a round must have its durable entry.
 */
export class KeyturnContender implements Contender {
  readonly name: string;
  readonly urls: readonly string[];
  readonly database: number | null;
  readonly #clients: number;
  readonly #servers: readonly ChildProcess[];
  readonly #token: string;
  readonly witness: Witness;
  readonly #undo: AsyncDisposableStack;
  #granted = 0;

  private constructor(options: KeyturnOptions, parts: Parts) {
    this.name = options.name;
    this.urls = parts.servers.map(({ url }) => url);
    this.database = parts.cluster?.pid ?? null;
    this.#clients = options.clients;
    this.#servers = parts.servers.map(({ server }) => server);
    this.#token = parts.access.token;
    this.witness = new Witness(parts.log, parts.access);
    this.#undo = parts.undo;
  }

  static async start(options: KeyturnOptions): Promise<KeyturnContender> {
    const { home, replicas = 0 } = options;
    await using undo = new AsyncDisposableStack();
    undo.defer(() => rm(home, { recursive: true, force: true }));
    const cluster = replicas > 0 ? undo.use(await PostgresCluster.start(AS_SHIPPED)) : null;
    const place = (await cluster?.database()) ?? null;
    await keyturn(options, ['init', '--admin', 'alice', '--port', '0', ...(place === null ? [] : initOptions(place))]);
    await edit(join(home, 'policies', 'access', 'bindings.yaml'), bind);
    if (options.configure !== undefined) await edit(join(home, 'keyturn.yaml'), options.configure);
    const servers = [await startServer(options, undo)];
    const access = await fill(options, servers[0]?.url ?? '');
    for (let at = 1; at < replicas; at += 1) {
      const copy = await copyOf(home, at, undo);
      servers.push(await startServer({ ...options, home: copy }, undo));
    }
    const log = place === null ? rowsOfFile(join(home, 'ledger', 'ledger.db')) : await rowsOfDatabase(place);
    undo.defer(() => log.close());
    return new KeyturnContender(options, { servers, access, cluster, log, undo: undo.move() });
  }

  get pids(): readonly number[] {
    return this.#servers.map(({ pid }) => pid ?? 0);
  }

  /** Each client has seen the log as it is now, so that every answer carries both proofs. */
  async plan(): Promise<Plan> {
    this.#granted = await this.witness.granted();
    const seen = await this.witness.size();
    return {
      method: 'POST',
      path: `/v1/credentials/${encodeURIComponent(CREDENTIAL)}/leases`,
      headers: { authorization: `Bearer ${this.#token}`, 'content-type': 'application/json' },
      bodies: this.witness.clients(this.#clients).map((hpkePublicKey) => JSON.stringify({ hpkePublicKey, seen })),
    };
  }

  /** wrk stops in mid-flight: each connection may have one answer that it did not count. */
  async settle({ requests, refused, broken }: LoadResult, connections: number): Promise<void> {
    const durable = (await this.witness.grantedAtRest()) - this.#granted;
    const answered = requests - refused;
    if (refused > 0 || broken > 0) throw new Error(`${this.name}: ${refused} refused, ${broken} broken`);
    if (durable >= answered && durable <= answered + connections) return;
    throw new Error(`${this.name}: ${answered} leases were answered, ${durable} stand on the log`);
  }

  stop(): Promise<void> {
    return this.#undo.disposeAsync();
  }
}

interface Served {
  readonly server: ChildProcess;
  readonly url: string;
}

interface Parts {
  readonly servers: readonly Served[];
  readonly access: Access;
  readonly cluster: PostgresCluster | null;
  readonly log: LogRows;
  readonly undo: AsyncDisposableStack;
}

/** As Debian's packages set a server up, where the tests' own clusters have less. */
const AS_SHIPPED = { settings: { shared_buffers: '128MB', max_connections: '100' } };

function initOptions({ host, port, database, user, passwordFile = '' }: PostgresPlace): string[] {
  const named = { host, port, database, user, 'password-file': passwordFile };
  return Object.entries(named).flatMap(([name, value]) => [`--postgres-${name}`, String(value)]);
}

async function startServer(options: KeyturnOptions, undo: AsyncDisposableStack): Promise<Served> {
  const served = await serve(options);
  undo.defer(async () => {
    const ended = once(served.server, 'exit');
    served.server.kill('SIGTERM');
    await ended;
  });
  return served;
}

/** The folder of a further server, with a port of its own. */
async function copyOf(home: string, at: number, undo: AsyncDisposableStack): Promise<string> {
  const copy = `${home}-${at}`;
  undo.defer(() => rm(copy, { recursive: true, force: true }));
  await cp(home, copy, { recursive: true, filter: (path) => !/\.(?:lock|sock|log)$/.test(path) });
  const port = await freePort();
  await edit(join(copy, 'keyturn.yaml'), (config) => ({
    ...config,
    listen: { ...(config['listen'] as object), port },
  }));
  return copy;
}

function command({ checkout = OWN_CHECKOUT, built = false, home }: KeyturnOptions, args: readonly string[]): string[] {
  return [join(checkout, built ? 'dist/server/bin/keyturn.mjs' : 'bin/keyturn.mjs'), '--home', home, ...args];
}

async function keyturn(options: KeyturnOptions, args: readonly string[]): Promise<void> {
  const { exitCode, stdout, stderr } = await run(process.execPath, command(options, args));
  if (exitCode !== 0) throw new Error(`keyturn ${args[0]} ended with ${exitCode}: ${stdout}${stderr}`);
}

async function serve(options: KeyturnOptions): Promise<{ server: ChildProcess; url: string }> {
  await using log = await open(join(options.home, 'server.log'), 'w', 0o600);
  const profile = process.env['BENCH_PROFILE'];
  const flags = profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${join(profile, options.name)}`];
  const server = spawn(process.execPath, [...flags, ...command(options, ['server'])], {
    stdio: ['ignore', 'pipe', log.fd],
  });
  const killed = () => server.kill('SIGKILL');
  process.once('exit', killed);
  server.once('exit', () => process.removeListener('exit', killed));
  if (server.stdout === null) throw new Error('The server has no output.');
  for await (const line of createInterface(server.stdout)) {
    const url = /^Listening on (https:\S+)/.exec(line)?.[1];
    if (url !== undefined) return { server, url };
  }
  throw new Error(`The server did not start: ${await readFile(join(options.home, 'server.log'), 'utf8')}`);
}

/** A credential with a companion, and a token for the service that borrows it. */
async function fill({ home, pem }: KeyturnOptions, url: string): Promise<Access> {
  const ca = await readFile(join(home, 'listener', 'ca.crt'), 'utf8');
  const admin = (await readFile(join(home, 'admin', 'token'), 'utf8')).trim();
  const ask = async (method: string, path: string, type: string, body: Buffer): Promise<unknown> => {
    const { Agent, request } = await import('node:https');
    const agent = new Agent({ ca });
    const headers = { authorization: `Bearer ${admin}`, 'content-type': type };
    const sent = request(new URL(path, url), { method, agent, headers });
    sent.end(body);
    const [response] = await once(sent, 'response');
    const answer = (await response.setEncoding('utf8').toArray()).join('');
    if (response.statusCode >= 300) throw new Error(`${method} ${path}: ${answer}`);
    return JSON.parse(answer);
  };
  const at = `/v1/credentials/${encodeURIComponent(CREDENTIAL)}`;
  const form = multipart([{ field: 'file', name: 'all.pem', bytes: Buffer.from(pem) }], { environment: 'sandbox' });
  await ask('POST', `${at}/versions`, form.type, form.body);
  await ask('PUT', `${at}/companions/lean-app-token`, 'application/octet-stream', Buffer.from('c0ffee'.repeat(6)));
  const wish = { principal: 'service:payments', ttlSeconds: 86_400, comment: 'benchmark' };
  const made = await ask('POST', '/v1/tokens', 'application/json', Buffer.from(JSON.stringify(wish)));
  const { token, connection } = made as { token: string; connection: Access['connection'] };
  return { url, token, connection, credential: CREDENTIAL };
}

function bind({ bindings }: Record<string, unknown>): Record<string, unknown> {
  const binding = (id: string, principal: string, credential: string) => ({
    id,
    role: 'service',
    principals: [principal],
    credentials: [credential],
    comment: 'benchmark',
  });
  const others = Array.from({ length: OTHER_BINDINGS }, (_, at) =>
    binding(`other-${at}`, `service:other-${at}`, `partner-${at}/production`),
  );
  return { bindings: [...(bindings as object[]), ...others, binding('payments', 'service:payments', CREDENTIAL)] };
}

async function edit(
  path: string,
  change: (content: Record<string, unknown>) => Record<string, unknown>,
): Promise<void> {
  const content = parse(await readFile(path, 'utf8')) as Record<string, unknown>;
  await writeFile(path, stringify(change(content)));
}
