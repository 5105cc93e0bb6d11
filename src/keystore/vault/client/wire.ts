import nodeVault from 'node-vault';
import { KeyturnError } from '../../../core/errors.ts';
import type { JsonObject, VaultAnswer } from './answer.ts';
import type { Transport } from './transport.ts';

/** `LIST` goes out as GET with `list=1`, since proxies know the method. */
export type VaultMethod = 'GET' | 'LIST' | 'POST' | 'DELETE';

export interface WireRequest {
  readonly method: VaultMethod;
  /** Behind `/v1/`; of segments that were checked. */
  readonly path: string;
  readonly token: string | null;
  /** A buffer goes out as it is: JSON that holds a secret is not made as a string. The caller wipes it. */
  readonly body?: JsonObject | Buffer;
  /** Default: false. */
  readonly outsideNamespace?: boolean;
  readonly signal: AbortSignal;
}

/** What we use of node-vault. It names URLs and headers; connections, time-outs and errors are ours. */
interface NodeVault {
  token: string;
  read(path: string, options: object): Promise<unknown>;
  list(path: string, options: object): Promise<unknown>;
  write(path: string, body: unknown, options: object): Promise<unknown>;
  delete(path: string, options: object): Promise<unknown>;
}

export type Wire = (request: WireRequest) => Promise<VaultAnswer>;

/**
 * node-vault over our transport. It is given no token and keeps none: each request brings its own. Our transport
 * tells it that every answer is a success, so that it makes no error of one (its errors hold the answer's body).
 */
export function vaultWire(address: string, namespace: string | null, transport: Transport): Wire {
  const api: NodeVault = nodeVault({
    endpoint: address,
    noCustomHTTPVerbs: true,
    debug: () => {},
    'request-promise': { defaults: () => (options: unknown) => exchange(transport, options) },
  });
  // What it took from the environment by itself is taken away again.
  Object.assign(api, { token: '', namespace: namespace ?? '', pathPrefix: '' });
  return async (request) => {
    const answer = await sendBy(api, request);
    if (isAnswer(answer)) return answer;
    throw new KeyturnError('internal', 'node-vault did not hand over what the transport gave it.');
  };
}

function sendBy(api: NodeVault, request: WireRequest): Promise<unknown> {
  const { method, path, token, body, signal, outsideNamespace = false } = request;
  const headers = { 'X-Vault-Request': 'true', ...(token === null ? {} : { 'X-Vault-Token': token }) };
  const options = { headers, signal, outsideNamespace };
  if (method === 'GET') return api.read(path, options);
  if (method === 'LIST') return api.list(path, options);
  if (method === 'DELETE') return api.delete(path, options);
  return api.write(path, body ?? {}, options);
}

async function exchange(transport: Transport, options: unknown) {
  const { method, uri, headers: given, json, signal, outsideNamespace } = requestOf(options);
  const url = new URL(uri);
  const octets = json === undefined || Buffer.isBuffer(json) ? (json ?? null) : Buffer.from(JSON.stringify(json));
  const headers = { ...given };
  if (outsideNamespace === true) delete headers['X-Vault-Namespace'];
  const type = octets === null ? {} : { 'Content-Type': 'application/json' };
  const answer = await transport.send({ method, url, headers: { ...headers, ...type }, body: octets, signal });
  return { statusCode: 200, body: answer, request: { path: url.pathname } };
}

interface LibraryRequest {
  readonly method: string;
  readonly uri: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly json?: unknown;
  readonly outsideNamespace?: unknown;
  readonly signal: AbortSignal;
}

/** The shape that node-vault 0.12 calls its request function with. */
function requestOf(options: unknown): LibraryRequest {
  if (isLibraryRequest(options)) return options;
  throw new KeyturnError('internal', 'node-vault called its transport in another way than version 0.12.');
}

function isLibraryRequest(options: unknown): options is LibraryRequest {
  return (
    typeof options === 'object' &&
    options !== null &&
    'method' in options &&
    typeof options.method === 'string' &&
    'uri' in options &&
    typeof options.uri === 'string' &&
    'headers' in options &&
    typeof options.headers === 'object' &&
    'signal' in options &&
    options.signal instanceof AbortSignal
  );
}

function isAnswer(value: unknown): value is VaultAnswer {
  return typeof value === 'object' && value !== null && 'octets' in value && Buffer.isBuffer(value.octets);
}
