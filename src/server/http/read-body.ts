import type { IncomingMessage } from 'node:http';
import { KeyturnError } from '../../core/errors.ts';
import { SecretBytes } from '../../core/secret-bytes.ts';
import { parseJsonBody } from './json-guard.ts';
import { parseForm } from './read-form.ts';
import type { BodyKind, Parsed } from './route.ts';

/** Limits before parsing, octets. An upload holds a few zips or PEM files. */
const MAX_JSON = 64 * 1024;
const MAX_UPLOAD = 3 * 1024 * 1024;

type Body = Pick<Parsed, 'json' | 'octets' | 'files' | 'fields'>;

const EMPTY: Body = { json: undefined, octets: null, files: [], fields: {} };

/**
 * Reads a request's body as its route declares it. Whoever called wipes what is secret with `wipeBody`.
 * @throws KeyturnError `unsupported_media_type`, `payload_too_large`, `invalid_input`; nothing of the body is left then.
 */
export async function readBody(request: IncomingMessage, kind: BodyKind): Promise<Body> {
  switch (kind.kind) {
    case 'none':
      request.resume();
      return EMPTY;
    case 'json':
      requireType(request, 'application/json');
      return { ...EMPTY, json: parseJsonBody(await readAll(request, MAX_JSON)) };
    case 'octets':
      requireType(request, 'application/octet-stream');
      return { ...EMPTY, octets: SecretBytes.own(await readAll(request, kind.limit)) };
    case 'upload':
      requireType(request, 'multipart/form-data');
      return { ...EMPTY, ...(await readForm(request)) };
  }
}

export function wipeBody(body: Pick<Body, 'octets' | 'files'>): void {
  body.octets?.dispose();
  for (const { bytes } of body.files) bytes.fill(0);
}

function requireType(request: IncomingMessage, expected: string): void {
  const type = request.headers['content-type'] ?? '';
  const essence = /^([a-z]+\/[a-z0-9.+-]+)\s*(?:;|$)/i.exec(type)?.[1]?.toLowerCase();
  if (essence === expected && request.headers['content-encoding'] === undefined) return;
  throw new KeyturnError('unsupported_media_type', `This operation takes a body of type ${expected}.`, {
    fix: `Send content-type: ${expected}, without content-encoding.`,
  });
}

async function readForm(request: IncomingMessage): Promise<Pick<Body, 'files' | 'fields'>> {
  const whole = await readAll(request, MAX_UPLOAD);
  try {
    return await parseForm(whole, request.headers['content-type'] ?? '');
  } finally {
    whole.fill(0);
  }
}

/**
 * One Buffer with the whole body; the chunks it was made of are wiped. What comes past the limit is read and dropped,
 * so that the client gets to see its answer.
 */
function readAll(request: IncomingMessage, limit: number): Promise<Buffer> {
  const announced = Number(request.headers['content-length'] ?? 0);
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const chunks: Buffer[] = [];
  let length = 0;
  const fail = (error: KeyturnError) => {
    for (const chunk of chunks.splice(0)) chunk.fill(0);
    reject(error);
  };
  if (announced > limit) fail(tooLarge(limit));
  request.on('data', (chunk: Buffer) => {
    length += chunk.length;
    if (length <= limit) chunks.push(chunk);
    else fail(tooLarge(limit));
  });
  request.on('end', () => {
    if (length > limit) return;
    resolve(joined(chunks, length));
    for (const chunk of chunks) chunk.fill(0);
  });
  // The client hung up: nobody reads the answer, but whoever waits must not wait for ever.
  const abandoned = () =>
    fail(new KeyturnError('invalid_input', 'The request body ended early.', { fix: 'Send it anew.' }));
  request.on('error', abandoned);
  request.on('close', () => {
    if (!request.complete) abandoned();
  });
  return promise;
}

function joined(chunks: readonly Buffer[], length: number): Buffer {
  const whole = Buffer.allocUnsafeSlow(length);
  let at = 0;
  for (const chunk of chunks) at += chunk.copy(whole, at);
  return whole;
}

function tooLarge(limit: number): KeyturnError {
  return new KeyturnError('payload_too_large', `The request body is larger than ${limit} bytes.`, {
    fix: 'Send less.',
  });
}
