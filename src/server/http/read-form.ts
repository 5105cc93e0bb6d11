import { Busboy, type BusboyFileStream, type BusboyInstance } from '@fastify/busboy';
import { KeyturnError } from '../../core/errors.ts';
import type { UploadedFile } from './route.ts';

const MAX_FILE = 1024 * 1024;
const LIMITS = { fileSize: MAX_FILE, files: 8, fields: 16, fieldSize: 1024, fieldNameSize: 64, parts: 24 };

export interface Form {
  readonly files: readonly UploadedFile[];
  readonly fields: Readonly<Record<string, string>>;
}

/**
 * Parses multipart/form-data (RFC 7578), which an attacker controls, from memory. The files are the caller's to wipe;
 * of a form that is refused nothing is left but `whole`, which is the caller's too.
 * @throws KeyturnError `invalid_input`, `payload_too_large`.
 */
export function parseForm(whole: Buffer, contentType: string): Promise<Form> {
  const { promise, resolve, reject } = Promise.withResolvers<Form>();
  const files: UploadedFile[] = [];
  const fields: Record<string, string> = Object.create(null);
  const pieces: Buffer[] = [];
  let failed = false;
  const fail = (error: KeyturnError) => {
    failed = true;
    for (const piece of pieces) piece.fill(0);
    for (const { bytes } of files) bytes.fill(0);
    reject(error);
  };
  const form = open(contentType);
  form.on('file', (field, stream, name) => {
    collect(stream, pieces, (bytes) => {
      files.push({ field, name: name ?? '', bytes });
      if (stream.truncated) fail(tooLarge(`A file of the form is larger than ${MAX_FILE} bytes.`));
      else if (failed) bytes.fill(0);
    });
    stream.on('error', () => fail(malformed()));
  });
  form.on('field', (name, value, nameTruncated, valueTruncated) => {
    if (nameTruncated || valueTruncated) fail(tooLarge('A field of the form is too long.'));
    else if (name in fields) fail(malformed());
    else fields[name] = value;
  });
  for (const limit of ['partsLimit', 'filesLimit', 'fieldsLimit'] as const) {
    form.on(limit, () => fail(tooLarge('The form has too many parts.')));
  }
  form.on('error', () => fail(malformed()));
  form.on('finish', () => resolve({ files, fields }));
  form.end(whole);
  return promise;
}

/** @throws KeyturnError `invalid_input` for a content type without a usable boundary. */
function open(contentType: string): BusboyInstance {
  try {
    return Busboy({ headers: { 'content-type': contentType }, limits: LIMITS });
  } catch {
    throw malformed();
  }
}

/** Gives the whole part in memory of its own, and wipes the pieces that it came in. */
function collect(stream: BusboyFileStream, pieces: Buffer[], done: (whole: Buffer) => void): void {
  const own: Buffer[] = [];
  stream.on('data', (piece: Buffer) => {
    own.push(piece);
    pieces.push(piece);
  });
  stream.on('end', () => {
    const whole = Buffer.allocUnsafeSlow(own.reduce((sum, piece) => sum + piece.length, 0));
    let at = 0;
    for (const piece of own) {
      at += piece.copy(whole, at);
      piece.fill(0);
    }
    done(whole);
  });
}

function tooLarge(message: string): KeyturnError {
  return new KeyturnError('payload_too_large', message, { fix: 'Send less.' });
}

function malformed(): KeyturnError {
  return new KeyturnError('invalid_input', 'The multipart form is broken or incomplete.', {
    fix: 'Send multipart/form-data as curl -F does, each field once.',
  });
}
