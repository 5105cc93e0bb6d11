import { open } from 'node:fs/promises';
import { KeyturnError } from '../../../core/errors.ts';
import type { Context } from '../../context.ts';

export default async function auditExport({ terminal, api }: Context, _options: object, path: string): Promise<void> {
  const stream = await (await api()).stream({ method: 'GET', path: '/v1/audit/export' });
  await using file = await open(path, 'wx', 0o600).catch(() => {
    throw new KeyturnError('conflict', `${path} can't be made; it may exist already.`, {
      fix: 'Choose another file name.',
    });
  });
  let bytes = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    await file.writeFile(chunk);
    bytes += chunk.length;
  }
  await file.sync();
  terminal.result({ file: path, bytes }, [`Wrote ${path} (${bytes} bytes).`]);
  terminal.note(`Next: keyturn audit verify ${path}`);
}
