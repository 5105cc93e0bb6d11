import type { IncomingMessage } from 'node:http';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import { checkServerIdentity, type SecureContext } from 'node:tls';
import type { ProbeRequest } from './request.ts';

export interface AskedAt {
  readonly address: string;
  /** For SNI, and what the server's certificate must be for. */
  readonly name: string;
  readonly port: number;
}

/** How one request went, as Node saw it. */
export type Asked =
  | {
      readonly answer: 'status';
      readonly status: number;
      /** As far as it was read; the partner's, and never passed on. Empty where nobody asks for it. */
      readonly body: string;
    }
  | {
      readonly answer: 'error';
      readonly code: string;
      /** Node's text: only looked at for an alert, never passed on. */
      readonly message: string;
      /** We had come so far in the handshake that our certificate was shown. */
      readonly shown: boolean;
    }
  | { readonly answer: 'timeout' };

/**
 * The secret that is derived when the server's part is whole and ours is sent, TLS 1.2 and 1.3, in OpenSSL's key log. A
 * server that closes then has judged our certificate; `secureConnect` may never come, since the reset overtakes it.
 */
const SHOWN = ['CLIENT_RANDOM ', 'CLIENT_TRAFFIC_SECRET_0 '].map((label) => Buffer.from(label));

const MOST_BODY_OCTETS = 16 * 1024;

/** One request over a connection of its own, with no session to resume. Settles in time, never rejects. */
export function ask(request: ProbeRequest, { address, name, port }: AskedAt, secureContext: SecureContext) {
  const { promise, resolve } = Promise.withResolvers<Asked>();
  let shown = false;
  const options: RequestOptions & { readonly secureContext: SecureContext } = {
    // A pool of its own that ends with the request: nothing is kept, nothing is shared.
    agent: false,
    host: address,
    port,
    servername: name.includes(':') || /^[0-9.]+$/.test(name) ? '' : name,
    method: request.method,
    path: request.path,
    headers: { host: port === 443 ? bracketed(name) : `${bracketed(name)}:${port}`, ...request.headers },
    secureContext,
    // Said aloud, so that NODE_TLS_REJECT_UNAUTHORIZED=0 in the environment changes nothing.
    rejectUnauthorized: true,
    checkServerIdentity: (_host, certificate) => checkServerIdentity(name, certificate),
  };
  const call = httpsRequest(options);
  const timer = setTimeout(() => {
    resolve({ answer: 'timeout' });
    call.destroy();
  }, request.timeoutMs);
  call.once('socket', (socket) =>
    socket.on('keylog', (line: Buffer) => {
      shown ||= SHOWN.some((label) => line.subarray(0, label.length).equals(label));
    }),
  );
  call.once('response', (response) => {
    const { statusCode: status = 0 } = response;
    const read = request.unregistered?.some((one) => one.status === status && one.contains !== undefined) === true;
    const body = read ? headOf(response) : Promise.resolve('');
    void body.then((text) => {
      resolve({ answer: 'status', status, body: text });
      response.destroy();
    });
  });
  call.on('error', (error: NodeJS.ErrnoException) => {
    resolve({ answer: 'error', code: error.code ?? 'unknown', message: error.message, shown });
  });
  call.end(request.body ?? undefined);
  return promise.finally(() => clearTimeout(timer));
}

/** What came of the body, 16 KiB at most, when it ends or fails. */
function headOf(response: IncomingMessage): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const parts: Buffer[] = [];
  let octets = 0;
  const end = () => resolve(Buffer.concat(parts).subarray(0, MOST_BODY_OCTETS).toString('utf8'));
  response.on('data', (part: Buffer) => {
    parts.push(part);
    octets += part.length;
    if (octets >= MOST_BODY_OCTETS) end();
  });
  response.once('end', end);
  response.once('error', end);
  return promise;
}

function bracketed(name: string): string {
  return name.includes(':') ? `[${name}]` : name;
}
