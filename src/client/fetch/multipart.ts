import { randomBytes } from 'node:crypto';

/** A form as it is sent: its length is known, and files are read as they are sent. */
export interface Multipart {
  readonly blob: Blob;
  readonly type: string;
}

/** HTML Living Standard, "multipart/form-data encoding algorithm", for a runtime that tells no length of it. */
export function multipartOf(form: FormData): Multipart {
  const boundary = `----keyturn-${randomBytes(16).toString('hex')}`;
  const parts = [...form].flatMap(([name, value]) => {
    const head = `--${boundary}\r\nContent-Disposition: form-data; name="${escaped(withLineEnds(name))}"`;
    if (typeof value === 'string') return [`${head}\r\n\r\n${withLineEnds(value)}\r\n`];
    const type = value.type === '' ? 'application/octet-stream' : value.type;
    return [`${head}; filename="${escaped(value.name)}"\r\nContent-Type: ${type}\r\n\r\n`, value, '\r\n'];
  });
  return { blob: new Blob([...parts, `--${boundary}--\r\n`]), type: `multipart/form-data; boundary=${boundary}` };
}

function withLineEnds(text: string): string {
  return text.replace(/\r?\n|\r/g, '\r\n');
}

/** A quote or a line end would leave the quoted string, and the header. */
function escaped(text: string): string {
  return text.replaceAll('\n', '%0A').replaceAll('\r', '%0D').replaceAll('"', '%22');
}
