import { randomUUID, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { sha256 } from './authority.ts';
import type { Peer } from './tls/peer.ts';

const MAX_BODY_BYTES = 64 * 1024;

export interface ApiOptions {
  /** What the header `lean-app-token` must hold. */
  readonly appToken: string;
  /** `GET /banks/v1` answers at least this many bytes. */
  readonly banksBytes: number;
  readonly delayMs: () => number;
  /** The 5xx to answer this request with, or null. */
  readonly nextFailure: () => number | null;
}

/** Answers one request; `peer` is null on the API that wants the token alone. Never throws. */
export type Api = (request: IncomingMessage, response: ServerResponse, peer: Peer | null) => void;

/**
 * The partner's API: `POST /customers/v1`, `GET /banks/v1`, and `GET /whoami`, which tells a client what certificate
 * the server saw (mTLS only, no token). Errors are JSON with `status` and `message`.
 */
export function createApi(options: ApiOptions): Api {
  const banks = Buffer.from(JSON.stringify(listOfBanks(options.banksBytes)));
  return (request, response, peer) => {
    const answer = () => {
      route(options.appToken, banks, { request, response, peer }).catch(() => response.destroy());
    };
    const failure = options.nextFailure();
    const act = failure === null ? answer : () => fail(response, failure, 'The partner has trouble.');
    const delayMs = options.delayMs();
    if (delayMs === 0) return act();
    const timer = setTimeout(act, delayMs);
    response.on('close', () => clearTimeout(timer));
  };
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly peer: Peer | null;
}

async function route(appToken: string, banks: Buffer, exchange: Exchange): Promise<void> {
  const { request, response, peer } = exchange;
  const path = pathOf(request);
  if (path === '/whoami' && peer !== null) return answerJson(response, 200, peer);
  if (!holdsToken(request, appToken)) return fail(response, 401, 'The header lean-app-token is missing or wrong.');
  if (path === '/banks/v1') {
    if (request.method !== 'GET') return fail(response, 405, 'Use GET.');
    return answerBytes(response, 200, banks);
  }
  if (path === '/customers/v1') {
    if (request.method !== 'POST') return fail(response, 405, 'Use POST.');
    return createCustomer(request, response);
  }
  fail(response, 404, 'No such resource.');
}

async function createCustomer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await readBody(request);
  if (body === null) return fail(response, 413, 'The body is too large.');
  const id = appUserId(body);
  if (id === null) return fail(response, 400, 'Send JSON with app_user_id, a string that is not empty.');
  answerJson(response, 200, { customer_id: randomUUID(), app_user_id: id });
}

function appUserId(body: Buffer): string | null {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    if (typeof value !== 'object' || value === null || !('app_user_id' in value)) return null;
    return typeof value.app_user_id === 'string' && value.app_user_id !== '' ? value.app_user_id : null;
  } catch {
    return null;
  }
}

async function readBody(request: IncomingMessage): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

export function pathOf(request: IncomingMessage): string {
  return (request.url ?? '/').split('?', 1)[0]!.replace(/(.)\/$/, '$1');
}

function holdsToken(request: IncomingMessage, appToken: string): boolean {
  const given = request.headers['lean-app-token'];
  if (typeof given !== 'string') return false;
  return timingSafeEqual(Buffer.from(sha256(Buffer.from(given))), Buffer.from(sha256(Buffer.from(appToken))));
}

const STATUS_NAMES = new Map([
  [400, 'BAD_REQUEST'],
  [401, 'UNAUTHORIZED'],
  [404, 'NOT_FOUND'],
  [405, 'METHOD_NOT_ALLOWED'],
  [413, 'PAYLOAD_TOO_LARGE'],
  [500, 'INTERNAL_SERVER_ERROR'],
  [502, 'BAD_GATEWAY'],
  [503, 'SERVICE_UNAVAILABLE'],
  [504, 'GATEWAY_TIMEOUT'],
]);

function fail(response: ServerResponse, status: number, message: string): void {
  answerJson(response, status, { status: STATUS_NAMES.get(status) ?? 'ERROR', message });
}

function answerJson(response: ServerResponse, status: number, value: object): void {
  answerBytes(response, status, Buffer.from(JSON.stringify(value)));
}

function answerBytes(response: ServerResponse, status: number, body: Buffer): void {
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': body.length }).end(body);
}

function listOfBanks(bytes: number): object[] {
  const banks: object[] = [];
  let size = 2;
  while (banks.length < 3 || size < bytes) {
    const number = banks.length + 1;
    const bank = { identifier: `TESTBANK${number}_SAU`, name: `Test Bank ${number}`, country: 'SAU', active: true };
    size += JSON.stringify(bank).length + 1;
    banks.push(bank);
  }
  return banks;
}
