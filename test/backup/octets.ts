import { hash } from 'node:crypto';

/** As a stream, in pieces of `size`. */
export async function* piecesOf(octets: Buffer, size = 10_000): AsyncGenerator<Buffer> {
  for (let at = 0; at < octets.length; at += size) yield octets.subarray(at, at + size);
}

export async function whole(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** Octets that are the same in every run: SHA-256 of a counter, over and over. */
export function fixedOctets(length: number): Buffer {
  const blocks = Array.from({ length: Math.ceil(length / 32) }, (_, at) => hash('sha256', `octets ${at}`, 'buffer'));
  return Buffer.concat(blocks).subarray(0, length);
}
