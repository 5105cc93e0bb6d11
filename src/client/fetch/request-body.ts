import { Readable } from 'node:stream';
import type { ReadableStream as NodeReadableStream } from 'node:stream/web';

/** What the global `fetch` takes, and Node's own streams. */
export type BodyInit = NonNullable<RequestInit['body']> | Readable;

/** Octets in hand, or a stream; and the media type that the kind of body implies, null for none. */
export type Body =
  | { readonly octets: string | Uint8Array; readonly stream: null; readonly type: string | null }
  | { readonly octets: null; readonly stream: Readable; readonly type: string | null };

/** Sorts a body as the Fetch standard does ("extract a body"), without copying what is in hand. */
export function readBody(body: BodyInit): Body {
  if (typeof body === 'string') return { octets: body, stream: null, type: 'text/plain;charset=UTF-8' };
  if (body instanceof Uint8Array) return { octets: body, stream: null, type: null };
  if (body instanceof Readable) return { octets: null, stream: body, type: null };
  // Forms, blobs, buffers of other kinds and web streams: the runtime knows how.
  const extracted = new Response(body);
  const stream = Readable.fromWeb(extracted.body as unknown as NodeReadableStream);
  return { octets: null, stream, type: extracted.headers.get('content-type') };
}
