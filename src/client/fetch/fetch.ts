import type { ClientRequest, IncomingMessage } from 'node:http';
import { type RequestOptions, request } from 'node:https';
import { pipeline } from 'node:stream';
import { isKeyturnError, KeyturnError } from '../../core/errors.ts';
import { keyturnErrorIn } from '../diagnosis/explained-error.ts';
import { copyOf, type Identity } from '../partner/identity.ts';
import type { MtlsAgent } from '../partner/mtls-agent.ts';
import type { VersionAgent } from '../partner/version-agent.ts';
import { partnerResponse } from './partner-response.ts';
import { type Body, type BodyInit, readBody } from './request-body.ts';
import { type HeadersInit, headerPairs, methodOf } from './request-head.ts';

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
 * `server_untrusted`, or why the lease is over; `signal.reason` when aborted; what the body's stream failed with;
 * `invalid_input` for a wrong call, and Node's TypeError for a header that can't be sent.
 */
export async function partnerFetch(way: Way, input: string | URL, init: FetchInit = {}): Promise<Response> {
  const url = input instanceof URL ? input : parseUrl(input);
  const { signal } = init;
  if (signal?.aborted === true) throw signal.reason;
  const target = requestOptions(way.agent, url, init);
  const body = init.body === undefined || init.body === null ? null : readBody(init.body);
  // Given with the options, a header that can't be sent is refused before there is a connection that would wait for it.
  const options = { ...target, headers: headersOf(body, init.headers) };
  const { promise, resolve, reject } = Promise.withResolvers<Response>();
  let told = false;
  const sent = request(options, (response) => {
    told = true;
    answer({ via, url, init, sent, response }, resolve, reject);
  });
  // The agent has taken the request by now, with the version that is current.
  const via = way.identity.current;
  sent.on('error', (error) => {
    told = true;
    reject(signal?.aborted === true ? signal.reason : rejection(error));
  });
  // Node tells of a switch of protocols that nobody asked for by no error, and by no answer either.
  sent.once('close', () => told || reject(unanswered(url)));
  if (signal) abortWith(sent, signal);
  send(sent, body);
  // A stream that fails makes the request fail with less: an ECONNRESET.
  body?.stream?.once('error', reject);
  return promise;
}

function parseUrl(text: string): URL {
  if (typeof text !== 'string') throw invalid('The URL is a text or a URL object here, not a Request.');
  const url = URL.parse(text);
  // The text is not quoted: it may hold a password.
  if (url === null) throw invalid('The URL is not an absolute URL.');
  return url;
}

function requestOptions(agent: MtlsAgent, url: URL, init: FetchInit): RequestOptions {
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
  const { redirect } = init;
  if (redirect !== undefined && redirect !== 'manual' && redirect !== 'error') {
    throw invalid('Redirects are not followed: another host must not see the request.');
  }
  const hostname = url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname;
  return {
    agent,
    method: methodOf(init.method, init.body),
    hostname,
    port: url.port === '' ? 443 : Number(url.port),
    path: url.pathname + url.search,
  };
}

/** The caller's win over ours, but for the length of a body whose length is known. */
function headersOf(body: Body | null, headers: HeadersInit | undefined): Record<string, string | number> {
  const length = body === null ? null : lengthOf(body);
  return Object.fromEntries<string | number>([
    ['accept', '*/*'],
    ['user-agent', 'node'],
    ...(body === null || body.type === null ? [] : [['content-type', body.type] as const]),
    ...headerPairs(headers),
    ...(length === null ? [] : [['content-length', length] as const]),
  ]);
}

function lengthOf(body: Body): number | null {
  return body.octets === null ? body.length : Buffer.byteLength(body.octets);
}

function send(sent: ClientRequest, body: Body | null): void {
  if (body === null) return void sent.end();
  if (body.octets !== null) return void sent.end(body.octets);
  // Whichever of the two fails ends the other.
  pipeline(body.stream, sent, () => {});
}

function abortWith(sent: ClientRequest, signal: AbortSignal): void {
  const abort = (): void => void sent.destroy(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  sent.once('close', () => signal.removeEventListener('abort', abort));
}

interface Exchange {
  /** The version that it was sent with; null when it was refused. */
  readonly via: VersionAgent | null;
  readonly url: URL;
  readonly init: FetchInit;
  readonly sent: ClientRequest;
  readonly response: IncomingMessage;
}

function answer(exchange: Exchange, resolve: (response: Response) => void, reject: (error: unknown) => void): void {
  const { via, response, sent, url, init } = exchange;
  const status = response.statusCode ?? 0;
  if (init.redirect === 'error' && status >= 300 && status < 400 && response.headers.location !== undefined) {
    sent.destroy();
    reject(invalid(`The partner answered with a redirect (${status}).`));
    return;
  }
  try {
    const { signal } = init;
    const why = (error: unknown): unknown => {
      if (signal?.aborted === true) return signal.reason;
      return via === null || via.cutReason === null ? error : copyOf(via.cutReason);
    };
    resolve(partnerResponse(response, url, { method: sent.method, why }));
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

function unanswered({ host }: URL): KeyturnError {
  return new KeyturnError('partner_unreachable', `${host} ended the exchange without an answer.`, {
    fix: 'Check that the partner speaks HTTP/1.1 at this URL.',
  });
}

function invalid(message: string): KeyturnError {
  return new KeyturnError('invalid_input', message, { fix: 'Correct the call of fetch.' });
}
