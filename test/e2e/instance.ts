import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { parse, stringify } from 'yaml';
import { loadConfig } from '../../src/compose/config.ts';
import { initInstance } from '../../src/compose/init.ts';
import { cannotAsk } from '../../src/compose/master-key.ts';
import { type ServeOptions, type Serving, serve } from '../../src/compose/serve.ts';
import type { PostgresSetting } from '../../src/compose/settings/ledger.ts';
import type { Clock } from '../../src/core/clock.ts';
import { ServerLog } from '../../src/server/log/server-log.ts';
import type { Partner } from '../fakes/partner/partner.ts';

export interface Reply {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
  readonly raw: Buffer;
  /** The body as JSON; undefined if it is none. */
  readonly body: Record<string, unknown>;
}

export interface CallOptions {
  readonly token?: string | null;
  readonly json?: unknown;
  readonly raw?: Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A Keyturn of one's own in a folder of its own, served in this process over real TLS. */
export class TestInstance {
  readonly home: string;
  readonly admin: string;
  serving: Serving;
  /** Everything that the server has logged. */
  readonly log: string[];
  readonly #options: OpenOptions;

  private constructor(home: string, options: OpenOptions, admin: string, serving: Serving, log: string[]) {
    this.home = home;
    this.#options = options;
    this.admin = admin;
    this.serving = serving;
    this.log = log;
  }

  /** `alice` administers, with a token in `admin`. */
  static async start(
    options: { leases?: { default: string; maximum: string }; clock?: Clock; postgres?: PostgresSetting } = {},
  ): Promise<TestInstance> {
    const home = await mkdtemp(join(tmpdir(), 'keyturn-'));
    const { postgres } = options;
    await initInstance({
      home,
      administrator: 'alice',
      port: 0,
      ask: cannotAsk,
      ...(postgres === undefined ? {} : { postgres }),
    });
    if (options.leases !== undefined)
      await edit(join(home, 'keyturn.yaml'), (config) => ({ ...config, leases: options.leases }));
    return TestInstance.open(home, options.clock);
  }

  /** Serves an instance that is there already. */
  static async open(home: string, clock?: Clock, rotation?: ServeOptions['rotation']): Promise<TestInstance> {
    const log: string[] = [];
    const options = { ...(clock === undefined ? {} : { clock }), ...(rotation === undefined ? {} : { rotation }) };
    const serving = await serveQuietly(home, log, options);
    return new TestInstance(home, options, await readFile(join(home, 'admin', 'token'), 'utf8'), serving, log);
  }

  get url(): string {
    return this.serving.url;
  }

  async restart(): Promise<void> {
    await this.serving.stop();
    this.serving = await serveQuietly(this.home, this.log, this.#options);
  }

  async stop(): Promise<void> {
    await this.serving.stop();
    await rm(this.home, { recursive: true, force: true });
  }

  #ca: Promise<string> | null = null;

  /** Read once: it stays the same, also where the instance is served from another folder. */
  get ca(): Promise<string> {
    this.#ca ??= readFile(join(this.home, 'listener', 'ca.crt'), 'utf8');
    return this.#ca;
  }

  async call(method: string, path: string, options: CallOptions = {}): Promise<Reply> {
    const { token = this.admin, json, headers = {} } = options;
    const body = json === undefined ? options.raw : Buffer.from(JSON.stringify(json));
    const outgoing = request(new URL(path, this.url), {
      method,
      ca: await this.ca,
      agent: false,
      headers: {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(json === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
    });
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    outgoing.on('response', resolve);
    outgoing.on('error', reject);
    outgoing.end(body);
    const response = await promise;
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    const raw = Buffer.concat(chunks);
    const text = raw.toString('utf8');
    return { status: response.statusCode ?? 0, headers: response.headers, text, raw, body: jsonOf(text) };
  }

  /** Uploads files as `keyturn import` does. */
  async import(
    credential: string,
    files: Readonly<Record<string, Buffer>>,
    fields: Readonly<Record<string, string>> = {},
  ): Promise<Reply> {
    const { multipart } = await import('../../src/cli/api/form.ts');
    const form = multipart(
      Object.entries(files).map(([name, bytes]) => ({ field: name === 'password' ? 'password' : 'file', name, bytes })),
      { environment: credential.split('/')[1] ?? '', ...fields },
    );
    return this.call('POST', `/v1/credentials/${encodeURIComponent(credential)}/versions`, {
      raw: form.body,
      headers: { 'content-type': form.type },
    });
  }

  /** Binds a role and makes a token; reloads the policy. */
  async grant(
    principal: string,
    role: string,
    more: { credentials?: string[]; expires?: string } = {},
  ): Promise<string> {
    await edit(join(this.home, 'policies', 'access', 'bindings.yaml'), (file) => ({
      bindings: [
        ...(file['bindings'] as unknown[]),
        {
          id: `${principal.replace(':', '-')}-${role}-${Date.now()}`,
          role,
          principals: [principal],
          credentials: more.credentials ?? ['lean/*'],
          comment: 'test',
          ...(more.expires === undefined ? {} : { expires: more.expires }),
        },
      ],
    }));
    await this.reload();
    return this.token(principal);
  }

  /** @throws Error when the server refuses the files. */
  async reload(): Promise<void> {
    const reply = await this.call('POST', '/v1/policy/reload');
    if (reply.status !== 200) throw new Error(`The policy was refused: ${reply.text}`);
  }

  async token(principal: string, ttlSeconds = 3_600): Promise<string> {
    const reply = await this.call('POST', '/v1/tokens', { json: { principal, ttlSeconds, comment: 'test' } });
    return String(reply.body['token']);
  }

  /** Makes `lean/sandbox` mean this partner. */
  async meet(partner: Pick<Partner, 'mtlsUrl' | 'tokenUrl'>): Promise<void> {
    await edit(join(this.home, 'policies', 'partners', 'lean.yaml'), (profile) => {
      const environments = profile['environments'] as Record<string, Record<string, unknown>>;
      const { sandbox = {} } = environments;
      return {
        ...profile,
        environments: {
          ...environments,
          sandbox: {
            ...sandbox,
            test: { ...(sandbox['test'] as object), endpoint: partner.mtlsUrl },
            endpoints: [
              { url: partner.mtlsUrl, mtls: true },
              ...(partner.tokenUrl === partner.mtlsUrl ? [] : [{ url: partner.tokenUrl, mtls: false }]),
            ],
          },
        },
      };
    });
    await this.reload();
  }

  /** Entries of a kind, as recorded. */
  async entries(kind: string): Promise<Record<string, unknown>[]> {
    const reply = await this.call('GET', `/v1/audit/entries?kind=${kind}&limit=1000`);
    return reply.body['items'] as Record<string, unknown>[];
  }
}

type OpenOptions = Pick<ServeOptions, 'clock' | 'rotation'>;

async function serveQuietly(home: string, log: string[], options: OpenOptions): Promise<Serving> {
  const destination = new Writable({
    write(chunk: Buffer, _encoding, done) {
      log.push(chunk.toString('utf8'));
      done();
    },
  });
  return serve(await loadConfig(home), { log: new ServerLog({ destination }), ...options });
}

/** Changes a YAML file of the instance. */
export async function edit(path: string, change: (content: Record<string, unknown>) => unknown): Promise<void> {
  const content = parse(await readFile(path, 'utf8')) as Record<string, unknown>;
  await writeFile(path, stringify(change(content)));
}

function jsonOf(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return {};
  }
}
