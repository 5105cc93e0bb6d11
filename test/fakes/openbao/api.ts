import { type Answer, type CallOptions, call } from '../call.ts';

export interface BaoCall {
  /** Behind `/v1/`. */
  readonly path: string;
  /** Default: GET, or POST when there is a body. */
  readonly method?: string;
  readonly body?: unknown;
  readonly token?: string;
  readonly namespace?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** One call of OpenBao's API, whatever it answers. */
export function callBao(url: string, ca: string, options: BaoCall): Promise<Answer> {
  const { path, token, namespace, body } = options;
  const sent: CallOptions = {
    ca,
    method: options.method ?? (body === undefined ? 'GET' : 'POST'),
    headers: {
      ...options.headers,
      ...(token === undefined ? {} : { 'X-Vault-Token': token }),
      ...(namespace === undefined ? {} : { 'X-Vault-Namespace': namespace }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  };
  return call(`${url}/v1/${path}`, sent);
}

/** What a call answered that must succeed: its JSON, or an empty object. */
export async function askBao<T = Record<string, unknown>>(url: string, ca: string, options: BaoCall): Promise<T> {
  const { status, body } = await callBao(url, ca, options);
  if (status !== 200 && status !== 204) throw new Error(`OpenBao answered ${options.path} with ${status}: ${body}`);
  return JSON.parse(body === '' ? '{}' : body) as T;
}
