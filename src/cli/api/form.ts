import { randomBytes } from 'node:crypto';

export interface FormFile {
  readonly field: string;
  readonly name: string;
  readonly bytes: Buffer;
}

/** RFC 7578 multipart/form-data in one Buffer, which the caller wipes. */
export function multipart(
  files: readonly FormFile[],
  fields: Readonly<Record<string, string>>,
): { type: string; body: Buffer } {
  const boundary = `keyturn-${randomBytes(16).toString('hex')}`;
  const parts: Buffer[] = [];
  for (const [name, value] of Object.entries(fields)) {
    parts.push(Buffer.from(`--${boundary}\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`));
  }
  for (const { field, name, bytes } of files) {
    const safe = name.replaceAll(/[^A-Za-z0-9._-]/g, '_');
    parts.push(
      Buffer.from(
        `--${boundary}\r\ncontent-disposition: form-data; name="${field}"; filename="${safe}"\r\ncontent-type: application/octet-stream\r\n\r\n`,
      ),
      bytes,
      Buffer.from('\r\n'),
    );
  }
  parts.push(Buffer.from(`--${boundary}--\r\n`));
  return { type: `multipart/form-data; boundary=${boundary}`, body: Buffer.concat(parts) };
}
