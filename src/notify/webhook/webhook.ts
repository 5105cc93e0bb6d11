import { readFile } from 'node:fs/promises';
import type { RequestOptions } from 'node:http';
import { request as tlsRequest } from 'node:https';
import type { Clock } from '../../core/clock.ts';
import { Egress } from '../../core/egress/egress.ts';
import { ProxyError } from '../../core/egress/proxy-error.ts';
import { TunnelAgent } from '../../core/egress/tunnel-agent.ts';
import { http } from '../../core/io/http.ts';
import type { Delivery, Notice, Notifier, TestNotice } from '../notifier.ts';
import { readSecretFile } from '../secret-file.ts';
import { SIGNATURE_HEADER, signatureOf } from './signature.ts';

export interface WebhookOptions {
  /** https, or http to a loopback address. */
  readonly url: URL;
  readonly secretFile: string;
  /** PEM file of the authorities that may have signed the receiver's certificate. Default: those that Node ships. */
  readonly caFile?: string;
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** Default: as `HTTPS_PROXY` and `NO_PROXY` of this process say. */
  readonly egress?: Egress;
}

/** RFC 2104 section 3: a key shorter than the hash's output is discouraged; of text, 16 octets are the least we take. */
export const LEAST_SECRET = 16;

/** Statuses after which the same request may be answered otherwise. */
const AGAIN: ReadonlySet<number> = new Set([408, 425, 429]);

/** Posts each notice as signed JSON. Follows nobody elsewhere, and reads no more than the status. */
export class Webhook implements Notifier {
  readonly name = 'webhook';
  readonly #options: WebhookOptions;
  readonly #egress: Egress;

  /** @throws KeyturnError `config_invalid` for a proxy that is none. */
  constructor(options: WebhookOptions) {
    this.#options = options;
    this.#egress = options.egress ?? Egress.ofEnvironment();
  }

  async send(notice: Notice | TestNotice, signal: AbortSignal): Promise<Delivery> {
    const { secretFile, caFile, clock } = this.#options;
    const type = notice.stage === 'test' ? 'test' : 'task-reminder';
    const body = JSON.stringify({ v: 1, type, ...notice });
    let secret: Buffer;
    let ca: string | undefined;
    try {
      secret = await readSecretFile(secretFile, LEAST_SECRET);
      ca = caFile === undefined ? undefined : await readFile(caFile, 'utf8');
    } catch {
      return { sent: false, cause: 'secret-file or ca', again: false };
    }
    const signature = signatureOf(secret, Math.floor(clock.now() / 1000), body);
    secret.fill(0);
    return this.#post(body, { [SIGNATURE_HEADER]: signature, 'keyturn-reminder': notice.id }, ca, signal);
  }

  #post(body: string, headers: Record<string, string>, ca: string | undefined, signal: AbortSignal): Promise<Delivery> {
    const { url, timeoutMs } = this.#options;
    // A way that nobody opens is told as what it is, and not as a receiver that does not answer.
    const tunnelMs = Math.ceil(timeoutMs * 0.8);
    const { promise, resolve } = Promise.withResolvers<Delivery>();
    const request = url.protocol === 'https:' ? tlsRequest : http.request;
    const agent = url.protocol === 'https:' ? new TunnelAgent({ keepAlive: false }, this.#egress, tunnelMs) : null;
    const options: RequestOptions & { ca?: string } = {
      method: 'POST',
      agent: agent ?? false,
      // Of the whole exchange: a receiver that answers drop by drop holds nothing up.
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
      headers: {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
        'user-agent': 'keyturn',
        ...headers,
      },
      ...(ca === undefined ? {} : { ca }),
    };
    const outgoing = request(url, options, (response) => {
      resolve(deliveryOf(response.statusCode ?? 0));
      response.destroy();
    });
    outgoing.on('error', (error: NodeJS.ErrnoException) => {
      resolve({ sent: false, cause: causeOf(error), again: !signal.aborted });
    });
    // Node tells a request that has no socket yet, since its proxy opens no way, of nothing.
    const stopped = () => resolve({ sent: false, cause: 'timeout', again: false });
    signal.addEventListener('abort', stopped, { once: true });
    outgoing.end(body);
    return promise.finally(() => {
      signal.removeEventListener('abort', stopped);
      agent?.destroy();
    });
  }
}

function causeOf(error: NodeJS.ErrnoException): string {
  if (error instanceof ProxyError) return error.message.replace(/\.$/, '');
  return error.name === 'AbortError' ? 'timeout' : (error.code ?? 'unreachable');
}

function deliveryOf(status: number): Delivery {
  if (status >= 200 && status < 300) return { sent: true };
  if (status >= 300 && status < 400) return { sent: false, cause: `redirected (${status})`, again: false };
  return { sent: false, cause: `status ${status}`, again: status >= 500 || AGAIN.has(status) };
}
