import type { IncomingMessage } from 'node:http';
import { Busboy, type BusboyFileStream, type BusboyInstance } from '@fastify/busboy';
import { KeyturnError } from '../../core/errors.ts';
import { SecretBytes } from '../../core/secret-bytes.ts';
import { parseJsonBody } from './json-guard.ts';
import type { BodyKind, Parsed, UploadedFile } from './route.ts';

/** Limits before parsing, octets. An upload holds a few zips or PEM files. */
const MAX_JSON = 64 * 1024;
const MAX_FILE = 1024 * 1024;
const MAX_UPLOAD = 3 * 1024 * 1024;
const MAX_FILES = 8;
const MAX_FIELDS = 16;

type Body = Pick<Parsed, 'json' | 'octets' | 'files' | 'fields'>;

const EMPTY: Body = { json: undefined, octets: null, files: [], fields: {} };

/** Reads a request's body as its route declares it. Whoever called wipes what is secret with `wipeBody`. */
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
      return readUploadForm(request);
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

/** One Buffer with the whole body; the chunks it was made of are wiped. */
async function readAll(request: IncomingMessage, limit: number): Promise<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > limit) throw tooLarge(limit);
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      length += chunk.length;
      if (length > limit) throw tooLarge(limit);
    }
    return joined(chunks, length);
  } finally {
    for (const chunk of chunks) chunk.fill(0);
  }
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

/** RFC 7578. Attacker-controlled: number and size of the parts are bounded while they arrive. */
function readUploadForm(request: IncomingMessage): Promise<Body> {
  if (Number(request.headers['content-length'] ?? 0) > MAX_UPLOAD) throw tooLarge(MAX_UPLOAD);
  return new Promise((resolve, reject) => {
    const files: UploadedFile[] = [];
    const fields: Record<string, string> = Object.create(null);
    const fail = (error: KeyturnError) => {
      request.unpipe(form);
      request.resume();
      for (const { bytes } of files) bytes.fill(0);
      reject(error);
    };
    let form: BusboyInstance;
    try {
      form = Busboy({
        headers: { 'content-type': request.headers['content-type'] ?? '' },
        limits: {
          fileSize: MAX_FILE,
          files: MAX_FILES,
          fields: MAX_FIELDS,
          fieldSize: 1024,
          fieldNameSize: 64,
          parts: 24,
        },
      });
    } catch {
      reject(malformed());
      return;
    }
    const reading: Promise<void>[] = [];
    form.on('file', (field, stream, name) => {
      reading.push(
        readPart(stream).then(
          (bytes) => void files.push({ field, name: name ?? '', bytes }),
          (error: unknown) => fail(error instanceof KeyturnError ? error : malformed()),
        ),
      );
    });
    form.on('field', (name, value) => {
      fields[name] = value;
    });
    for (const limit of ['partsLimit', 'filesLimit', 'fieldsLimit'] as const) {
      form.on(limit, () =>
        fail(new KeyturnError('payload_too_large', 'The form has too many parts.', { fix: 'Send less.' })),
      );
    }
    form.on('error', () => fail(malformed()));
    form.on('finish', () => {
      Promise.all(reading).then(() => resolve({ ...EMPTY, files, fields }), reject);
    });
    request.on('aborted', () => fail(malformed()));
    request.pipe(form);
  });
}

async function readPart(stream: BusboyFileStream): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    length += chunk.length;
  }
  const whole = joined(chunks, length);
  for (const chunk of chunks) chunk.fill(0);
  if (stream.truncated) {
    whole.fill(0);
    throw tooLarge(MAX_FILE);
  }
  return whole;
}

function malformed(): KeyturnError {
  return new KeyturnError('invalid_input', 'The multipart form is broken or incomplete.', {
    fix: 'Send multipart/form-data as curl -F does.',
  });
}
