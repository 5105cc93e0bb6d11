import { brokenOff } from '../../api/answer.ts';
import type { Context } from '../../context.ts';
import { WholeFile } from '../../terminal/whole-file.ts';

export default async function auditExport({ terminal, api }: Context, _options: object, path: string): Promise<void> {
  const open = await api();
  await using file = await WholeFile.make(path);
  const stream = await open.stream({ method: 'GET', path: '/v1/audit/export' });
  const bytes = await copy(stream, file);
  await file.keep();
  terminal.result({ file: path, bytes }, [`Wrote ${path} (${bytes} bytes).`]);
  terminal.note(`Next: keyturn audit verify ${path}`);
}

async function copy(stream: AsyncIterable<Buffer>, file: WholeFile): Promise<number> {
  const chunks = stream[Symbol.asyncIterator]();
  let bytes = 0;
  for (;;) {
    const next = await chunks.next().catch(() => Promise.reject(brokenOff()));
    if (next.done === true) return bytes;
    await file.write(next.value);
    bytes += next.value.length;
  }
}
