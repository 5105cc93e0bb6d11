import { Readable } from 'node:stream';
import type { ReadableStream as NodeReadableStream } from 'node:stream/web';
import { types } from 'node:util';
import { multipartOf } from './multipart.ts';

/** What the global `fetch` takes, and Node's own streams. */
export type BodyInit = NonNullable<RequestInit['body']> | Readable;

/** Octets in hand, or a stream; and the media type that the kind of body implies, null for none. */
export type Body =
  | { readonly octets: string | Uint8Array; readonly stream: null; readonly type: string | null }
  | {
      readonly octets: null;
      readonly stream: Readable;
      /** Octets that the stream has; null when that is not known, and it is sent in chunks. */
      readonly length: number | null;
      readonly type: string | null;
    };

/**
 * Sorts a body as the Fetch standard does ("extract a body"), without copying what is in hand. A length that can be
 * known is sent: there are servers that take no chunks.
 */
export function readBody(body: BodyInit): Body {
  if (typeof body === 'string') return inHand(body, 'text/plain;charset=UTF-8');
  if (body instanceof URLSearchParams) {
    return inHand(body.toString(), 'application/x-www-form-urlencoded;charset=UTF-8');
  }
  if (ArrayBuffer.isView(body)) return inHand(new Uint8Array(body.buffer, body.byteOffset, body.byteLength), null);
  if (types.isAnyArrayBuffer(body)) return inHand(new Uint8Array(body), null);
  if (body instanceof Readable) return { octets: null, stream: body, length: null, type: null };
  if (body instanceof Blob) return ofBlob(body, body.type === '' ? null : body.type);
  if (body instanceof FormData) {
    const { blob, type } = multipartOf(body);
    return ofBlob(blob, type);
  }
  // Web streams and what else can be iterated over: the runtime knows how.
  const extracted = new Response(body);
  const stream = Readable.fromWeb(extracted.body as unknown as NodeReadableStream);
  return { octets: null, stream, length: null, type: extracted.headers.get('content-type') };
}

function inHand(octets: string | Uint8Array, type: string | null): Body {
  return { octets, stream: null, type };
}

function ofBlob(blob: Blob, type: string | null): Body {
  const stream = Readable.fromWeb(blob.stream() as unknown as NodeReadableStream);
  return { octets: null, stream, length: blob.size, type };
}
