import type { IncomingMessage } from 'node:http';
import { Beginning, bodyStream, EAGER_OCTETS, readWhole, streamOf, type Why } from './message-body.ts';

/** Fetch standard, "null body status". */
const WITHOUT_BODY = new Set([101, 103, 204, 205, 304]);

/** The global Response, seen as a class whose members may be accessors, as they are. */
const GlobalResponse: new (body: null, init: ResponseInit) => object = Response;

/** What the message is the answer to. */
export interface Asked {
  /** An answer to HEAD has no body, whatever its headers say. */
  readonly method: string;
  readonly why: Why;
}

/**
 * A global `Response` over an answer of node:https. Read as a whole (`json`, `text`,
 * `arrayBuffer`, `bytes`) it never becomes a web stream, which would cost more than the request itself; the stream is
 * made when `body`, `clone`, `blob` or `formData` ask for it.
 */
class PartnerResponse extends GlobalResponse {
  readonly #message: IncomingMessage;
  readonly #why: Why;
  readonly #init: ResponseInit;
  readonly url: string;
  #headers: Headers | null = null;
  /** A short body on its way, or there. */
  readonly #eager: Promise<Buffer> | null = null;
  /** What is there of a body whose length is not known. */
  readonly #beginning: Beginning | null = null;
  /** What holds the stream, once there is one. */
  #streamed: Response | null = null;
  #used = false;

  constructor(message: IncomingMessage, url: URL, { method, why }: Asked) {
    const init = { status: message.statusCode ?? 0, statusText: message.statusMessage ?? '' };
    super(null, init);
    this.#message = message;
    this.#why = why;
    this.#init = init;
    this.url = url.hash === '' ? url.href : url.href.slice(0, -url.hash.length);
    const length = message.headers['content-length'];
    if (method === 'HEAD' || WITHOUT_BODY.has(init.status)) {
      message.resume();
      this.#streamed = new Response(null, init);
    } else if (length === undefined) {
      this.#beginning = new Beginning(message);
    } else if (Number(length) <= EAGER_OCTETS) {
      this.#eager = readWhole(message, why);
      // Whoever reads the body hears of it; nobody has to.
      this.#eager.catch(() => {});
    }
  }

  get headers(): Headers {
    this.#headers ??= new Headers(headersOf(this.#message));
    return this.#headers;
  }

  get body(): ReadableStream<Uint8Array> | null {
    return this.#used ? null : this.#stream().body;
  }

  get bodyUsed(): boolean {
    return this.#used || this.#streamed?.bodyUsed === true;
  }

  async text(): Promise<string> {
    if (this.#streamed !== null) return this.#streamed.text();
    const octets = await this.#whole();
    const marked = octets[0] === 0xef && octets[1] === 0xbb && octets[2] === 0xbf;
    return octets.toString('utf8', marked ? 3 : 0);
  }

  async json(): Promise<unknown> {
    return JSON.parse(await this.text());
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    return (await this.bytes()).buffer;
  }

  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    // A copy: the Buffer is a part of a larger one, which is used again.
    return new Uint8Array(this.#streamed !== null ? await this.#streamed.arrayBuffer() : await this.#whole());
  }

  async blob(): Promise<Blob> {
    return await this.#stream().blob();
  }

  async formData(): Promise<FormData> {
    return await this.#stream().formData();
  }

  clone(): Response {
    return Object.defineProperty(this.#stream().clone(), 'url', { value: this.url });
  }

  #whole(): Promise<Buffer> {
    if (this.#used) return Promise.reject(alreadyRead());
    this.#used = true;
    return this.#eager ?? readWhole(this.#message, this.#why, this.#beginning?.take());
  }

  #stream(): Response {
    if (this.#used) throw alreadyRead();
    if (this.#streamed === null) {
      this.#streamed = new Response(this.#bodyStream(), { ...this.#init, headers: this.headers });
    }
    return this.#streamed;
  }

  #bodyStream(): ReadableStream<Uint8Array> {
    if (this.#eager !== null) return streamOf(this.#eager);
    return bodyStream(this.#message, this.#why, this.#beginning?.take() ?? []);
  }
}

/** @throws RangeError for a status that no Response can hold, e.g. 600. */
export function partnerResponse(message: IncomingMessage, url: URL, asked: Asked): Response {
  // It is a Response by class, and has each of its members; the compiler was told less of its base.
  return new PartnerResponse(message, url, asked) as object as Response;
}

/** As the runtime's own Response says it. */
function alreadyRead(): TypeError {
  return new TypeError('Body is unusable: Body has already been read');
}

function headersOf(message: IncomingMessage): [string, string][] {
  const { rawHeaders } = message;
  const pairs: [string, string][] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) pairs.push([rawHeaders[at]!, rawHeaders[at + 1]!]);
  return pairs;
}
