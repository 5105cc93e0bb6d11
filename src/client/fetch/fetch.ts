import type { ClientRequest, IncomingMessage } from 'node:http';
import { type RequestOptions, request } from 'node:https';
import { pipeline } from 'node:stream';
import { isKeyturnError, KeyturnError } from '../../core/errors.ts';
import { keyturnErrorIn } from '../diagnosis/explained-error.ts';
import type { Identity } from '../partner/identity.ts';
import type { MtlsAgent } from '../partner/mtls-agent.ts';
import { partnerResponse } from './partner-response.ts';
import { type Body, type BodyInit, type HeadersInit, readBody } from './request-body.ts';

/** What `fetch` takes besides the URL: the usual members; no dispatcher, no TLS options. */
export interface FetchInit {
  /** Default: GET. */
  readonly method?: string;
  readonly headers?: HeadersInit;
  /** A stream is sent as it is produced. */
  readonly body?: BodyInit | null;
  readonly signal?: AbortSignal | null;
  /** Redirects are never followed: `manual` (default) gives the 3xx answer itself, `error` rejects on one. */
  readonly redirect?: 'manual' | 'error';
}

/** What the requests go through. */
export interface Way {
  readonly agent: MtlsAgent;
  readonly identity: Identity;
}

/**
 * `fetch` over the credential's agent. Differs from the global one where that could send the identity elsewhere:
 * https only, hosts of the lease only, no redirects followed, no compression asked for.
 * @throws KeyturnError (as rejection): `host_not_allowed`, `partner_refused`, `partner_unreachable`,
 * `server_untrusted`, or why the lease is over; `signal.reason` when aborted; `invalid_input` for a wrong call.
 */
export async function partnerFetch(way: Way, input: string | URL, init: FetchInit = {}): Promise<Response> {
  const url = typeof input === 'string' ? parseUrl(input) : input;
  const { signal } = init;
  if (signal?.aborted === true) throw signal.reason;
  const options = requestOptions(way.agent, url, init);
  const body = init.body === undefined || init.body === null ? null : readBody(init.body);
  const { promise, resolve, reject } = Promise.withResolvers<Response>();
  const sent = request(options, (response) => answer({ way, url, init, sent, response }, resolve, reject));
  sent.on('error', (error) => reject(signal?.aborted === true ? signal.reason : rejection(error)));
  if (signal) abortWith(sent, signal);
  send(sent, body, init.headers);
  return promise;
}

function parseUrl(text: string): URL {
  const url = URL.parse(text);
  // The text is not quoted: it may hold a password.
  if (url === null) throw invalid('The URL is not an absolute URL.');
  return url;
}

function requestOptions(agent: MtlsAgent, url: URL, { method = 'GET', redirect }: FetchInit): RequestOptions {
  if (url.protocol !== 'https:') {
    throw new KeyturnError(
      'host_not_allowed',
      'The URL is not https: a client certificate is never used without TLS.',
      {
        fix: 'Call the https URL of the partner.',
      },
    );
  }
  if (url.username !== '' || url.password !== '') throw invalid('The URL holds a user name or a password.');
  if (redirect !== undefined && redirect !== 'manual' && redirect !== 'error') {
    throw invalid('Redirects are not followed: another host must not see the request.');
  }
  const hostname = url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname;
  return {
    agent,
    method: method.toUpperCase(),
    hostname,
    port: url.port === '' ? 443 : Number(url.port),
    path: url.pathname + url.search,
  };
}

function send(sent: ClientRequest, body: Body | null, headers: HeadersInit | undefined): void {
  sent.setHeader('accept', '*/*');
  if (body?.type != null) sent.setHeader('content-type', body.type);
  for (const [name, value] of headerPairs(headers)) sent.setHeader(name, value);
  if (body === null) return void sent.end();
  if (body.octets !== null) {
    sent.setHeader('content-length', Buffer.byteLength(body.octets));
    return void sent.end(body.octets);
  }
  // A body that fails ends the request with its error; `sent` reports it.
  pipeline(body.stream, sent, () => {});
}

function headerPairs(headers: HeadersInit | undefined): Iterable<readonly [string, string]> {
  if (headers === undefined) return [];
  if (Array.isArray(headers) || headers instanceof Headers) return new Headers(headers);
  return Object.entries(headers as Record<string, string>);
}

function abortWith(sent: ClientRequest, signal: AbortSignal): void {
  const abort = (): void => void sent.destroy(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  sent.once('close', () => signal.removeEventListener('abort', abort));
}

interface Exchange {
  readonly way: Way;
  readonly url: URL;
  readonly init: FetchInit;
  readonly sent: ClientRequest;
  readonly response: IncomingMessage;
}

function answer(exchange: Exchange, resolve: (response: Response) => void, reject: (error: unknown) => void): void {
  const { way, response, sent, url, init } = exchange;
  const status = response.statusCode ?? 0;
  if (init.redirect === 'error' && status >= 300 && status < 400 && response.headers.location !== undefined) {
    sent.destroy();
    reject(invalid(`The partner answered with a redirect (${status}).`));
    return;
  }
  try {
    const { signal } = init;
    const { identity } = way;
    const why = (error: unknown) => (signal?.aborted === true ? signal.reason : (identity.endReason ?? error));
    resolve(partnerResponse(response, url, why));
  } catch (error) {
    // A status or a header that no Response can hold, e.g. 600.
    sent.destroy();
    reject(error);
  }
}

/** The explanation when there is one: its `cause` is Node's error then. */
function rejection(error: Error): Error {
  const explained = keyturnErrorIn(error);
  if (explained === null || isKeyturnError(error)) return error;
  const { code, message, fix, facts } = explained;
  return new KeyturnError(code, message, { facts, ...(fix === undefined ? {} : { fix }), cause: withoutCause(error) });
}

/** Node's error alone: its cause is what wraps it now. */
function withoutCause(error: Error): Error {
  delete error.cause;
  return error;
}

function invalid(message: string): KeyturnError {
  return new KeyturnError('invalid_input', message, { fix: 'Correct the call of fetch.' });
}
