import { createHash, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { z } from 'zod';
import { LogSigner } from '../../src/audit/checkpoint.ts';
import type { Receipt } from '../../src/audit/receipt.ts';
import { recordEntry } from '../../src/audit/recorded.ts';
import { consistencyPath, inclusionPath, TreeFrontier, type TreeNode } from '../../src/audit/tree.ts';
import type { ConnectionFile } from '../../src/client/connection-file.ts';
import type { LeaseAnswer, Refusal, ServerTrust } from '../../src/client/wire.ts';
import { SecretBytes } from '../../src/core/secret-bytes.ts';
import { AnswerSealer } from '../../src/sealed/answer.ts';
import { type Issued, TestCa } from './ca.ts';

export const CREDENTIAL = 'lean/sandbox';
export const TOKEN = 'kt_test_token';
const ORIGIN = 'keyturn.test/log';

export type LentIdentity = Pick<Issued, 'certificatePem' | 'keyPem' | 'privateKey'>;

/** What the fake lends; each field may be changed between calls. */
export interface Lent {
  version: number;
  issued: LentIdentity;
  chain: string;
  trust: ServerTrust;
  endpoints: string[];
  refusals: Refusal[];
  companions: Record<string, string>;
  secondsLeft: number;
}

/** Trouble, for the next calls until it is set to null. */
export type Trouble =
  /** Any status, body and media type, as a proxy would answer. */
  | { readonly kind: 'raw'; readonly status: number; readonly type: string; readonly body: string }
  /** A problem document of ours. */
  | { readonly kind: 'problem'; readonly status: number; readonly code: string }
  /** Takes the request and never answers. */
  | { readonly kind: 'hang' }
  /** Does everything, then cuts the connection instead of answering. */
  | { readonly kind: 'lose-answer' }
  | { readonly kind: 'cut' }
  /** An honest receipt of another access: its entry says this instead. */
  | {
      readonly kind: 'record';
      readonly entry?: string;
      readonly data?: Readonly<Record<string, string | number>>;
      readonly credential?: string;
    }
  /** The answer, changed on its way. */
  | { readonly kind: 'tamper'; readonly change: (answer: LeaseAnswer) => unknown };

interface Live {
  readonly credential: string;
  readonly version: number;
}

const requestSchema = z.object({
  hpkePublicKey: z.string(),
  seen: z.number().int(),
  ttlSeconds: z.number().int().optional(),
  replaces: z.string().optional(),
  uses: z
    .array(
      z.object({
        version: z.int().min(1),
        host: z.string(),
        requests: z.int().min(0),
        failures: z.int().min(1).optional(),
        failedAgo: z.int().min(0).optional(),
      }),
    )
    .max(64)
    .optional(),
  report: z.int().min(1).optional(),
  inUse: z.array(z.int().min(1)).max(64).optional(),
});

type LeaseBody = z.infer<typeof requestSchema>;

/** One request as it arrived. */
export interface Arrived {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
  readonly body: LeaseBody | null;
}

/** The audit log of the fake: a real tree, real signatures. */
export class FakeLog {
  readonly #signer: LogSigner;
  readonly #nodes = new Map<string, Buffer>();
  readonly #roots: Buffer[] = [];
  #frontier = TreeFrontier.empty();

  constructor(origin = ORIGIN) {
    this.#signer = LogSigner.create(origin, generateKeyPairSync('ed25519').privateKey);
  }

  get vkey(): string {
    return this.#signer.vkey;
  }

  get size(): number {
    return this.#frontier.size;
  }

  /** Forgets everything, and goes on with the same key: what a log that is rewritten looks like. */
  fork(): void {
    this.#nodes.clear();
    this.#roots.length = 0;
    this.#frontier = TreeFrontier.empty();
  }

  append(kind: string, live: Live & { readonly data: Record<string, string | number> }, seen: number): Receipt {
    const index = this.#frontier.size;
    const { credential, version, data } = live;
    const recorded = recordEntry(
      { kind, actor: 'service:payments', credential, version, data },
      index,
      1_700_000_000_000,
    );
    for (const node of this.#frontier.append(recorded.leafHash)) this.#keep(node);
    const size = this.#frontier.size;
    const nodes = { node: (level: number, at: number) => this.#nodes.get(`${level}/${at}`)! };
    const texts = (path: Buffer[]) => path.map((hash) => hash.toString('base64'));
    return {
      index,
      entry: recorded.json,
      inclusion: texts(inclusionPath(nodes, index, size)),
      checkpoint: this.#signer.sign({ size, root: this.#frontier.root() }),
      ...(seen > 0 && seen <= size
        ? { consistency: { from: seen, path: texts(consistencyPath(nodes, seen, size)) } }
        : {}),
    };
  }

  #keep({ level, index, hash }: TreeNode): void {
    this.#nodes.set(`${level}/${index}`, hash);
  }
}

/**
 * A Keyturn server in memory, for the client's tests: speaks the lease API over TLS with real receipts and sealing,
 * keeps no store, and makes trouble on demand.
 */
export class FakeKeyturn implements AsyncDisposable {
  readonly log: FakeLog;
  readonly lent: Lent;
  readonly arrived: Arrived[] = [];
  readonly leases = new Map<string, Live>();
  trouble: Trouble | null = null;
  /** Trouble for calls of one kind alone. */
  troubleOn: 'grant' | 'renew' | 'any' = 'any';
  readonly #ca: TestCa;
  readonly #server: Server;
  #count = 0;

  private constructor(ca: TestCa, identity: Issued, lent: Lent, log: FakeLog) {
    this.#ca = ca;
    this.lent = lent;
    this.log = log;
    this.#server = createServer({ key: identity.keyPem, cert: identity.certificatePem }, (request, response) => {
      void this.#serve(request, response);
    });
  }

  static async start(lent: Partial<Lent> & Pick<Lent, 'issued'>, log = new FakeLog()): Promise<FakeKeyturn> {
    const ca = await TestCa.create('Keyturn CA');
    const fake = new FakeKeyturn(ca, await ca.server(), { ...DEFAULTS, ...lent }, log);
    fake.#server.listen(0, '127.0.0.1');
    await once(fake.#server, 'listening');
    return fake;
  }

  get url(): string {
    return `https://localhost:${(this.#server.address() as AddressInfo).port}`;
  }

  get caPem(): string {
    return this.#ca.certificatePem;
  }

  connection(more: readonly FakeKeyturn[] = []): ConnectionFile {
    return {
      keyturn: 1,
      servers: [this, ...more].map(({ url }) => url),
      ca: [this, ...more].map(({ caPem }) => caPem).join(''),
      log: { origin: ORIGIN, keys: [this.log.vkey] },
    };
  }

  calls(part: string): Arrived[] {
    return this.arrived.filter(({ path, method }) => `${method} ${path}`.includes(part));
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url: path = '' } = request;
    const body = method === 'POST' ? requestSchema.parse(await json(request)) : null;
    this.arrived.push({ method, path, authorization: request.headers.authorization, body });
    const call = path.endsWith('/renew') ? 'renew' : 'grant';
    const trouble = this.troubleOn === 'any' || this.troubleOn === call ? this.trouble : null;
    if (trouble?.kind === 'hang') return;
    if (trouble?.kind === 'cut') return void request.socket.destroy();
    if (trouble?.kind === 'raw') return send(response, trouble.status, trouble.type, trouble.body);
    if (trouble?.kind === 'problem') return problem(response, trouble.status, trouble.code);
    if (request.headers.authorization !== `Bearer ${TOKEN}`) return problem(response, 401, 'unauthenticated');
    if (method === 'DELETE') return this.#giveBack(path, response);
    // A server of before there was such a thing.
    if (path.startsWith('/v1/watch')) return problem(response, 404, 'not_found');
    const lease = /^\/v1\/leases\/([^/]+)\/renew$/.exec(path)?.[1] ?? null;
    if (lease !== null && !this.leases.has(lease)) return problem(response, 409, 'lease_ended');
    const answer = this.#answer(lease, body!, trouble?.kind === 'record' ? trouble : null);
    if (trouble?.kind === 'lose-answer') return void request.socket.destroy();
    const sent = trouble?.kind === 'tamper' ? trouble.change(answer) : answer;
    send(response, lease === null ? 201 : 200, 'application/json', JSON.stringify(sent));
  }

  #giveBack(path: string, response: ServerResponse): void {
    this.leases.delete(path.split('/')[3] ?? '');
    response.writeHead(204).end();
  }

  /** Extends a lease on the current version; anything else is a new lease, which ends the one it replaces. */
  #answer(renewed: string | null, request: LeaseBody, other: Extract<Trouble, { kind: 'record' }> | null): LeaseAnswer {
    const { version, issued, chain, trust, endpoints, refusals, secondsLeft } = this.lent;
    const extended = renewed !== null && this.leases.get(renewed)?.version === version;
    if (renewed !== null && !extended) this.leases.delete(renewed);
    const lease = extended ? renewed : `lease_${++this.#count}`;
    this.leases.set(lease, { credential: CREDENTIAL, version });
    const spki = spkiOf(issued);
    const hpke = Buffer.from(request.hpkePublicKey, 'base64url');
    const expiresAt = new Date(1_700_000_000_000 + secondsLeft * 1_000).toISOString();
    const client = createHash('sha256').update(hpke).digest('hex');
    const data = { lease, spki, expiresAt, client, ...other?.data };
    const kind = other?.entry ?? (extended ? 'lease.renewed' : 'lease.granted');
    const receipt = this.log.append(kind, { credential: other?.credential ?? CREDENTIAL, version, data }, request.seen);
    const binding = { lease, credential: CREDENTIAL, version, spki, expiresAt };
    const sealed = extended ? null : AnswerSealer.to(hpke).seal(binding, this.#secrets());
    const { certificatePem: certificate } = issued;
    return { ...binding, secondsLeft, certificate, chain, trust, endpoints, refusals, sealed, receipt };
  }

  #secrets() {
    const key = this.lent.issued.privateKey.export({ format: 'der', type: 'pkcs8' });
    const companions = Object.entries(this.lent.companions).map(([name, value]) => ({
      name: `companion/${name}`,
      octets: SecretBytes.own(Buffer.from(value)),
    }));
    return [{ name: 'key', octets: SecretBytes.own(key) }, ...companions];
  }
}

const DEFAULTS: Omit<Lent, 'issued'> = {
  version: 1,
  chain: '',
  trust: { mode: 'system', pem: '' },
  endpoints: ['localhost:443'],
  refusals: [],
  companions: {},
  secondsLeft: 300,
};

function spkiOf({ certificatePem }: LentIdentity): string {
  const spki = new X509Certificate(certificatePem).publicKey.export({ format: 'der', type: 'spki' });
  return createHash('sha256').update(spki).digest('hex');
}

function problem(response: ServerResponse, status: number, code: string): void {
  const body = {
    type: `urn:keyturn:problem:${code}`,
    title: code,
    status,
    detail: `Said: ${code}.`,
    code,
    request: 'request_1',
  };
  send(response, status, 'application/problem+json', JSON.stringify(body));
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { 'content-type': type }).end(body);
}
