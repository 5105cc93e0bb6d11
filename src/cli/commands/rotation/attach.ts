import { basename } from 'node:path';
import { KeyturnError } from '../../../core/errors.ts';
import { readAtMost } from '../../../core/io/read-at-most.ts';
import { whyFile } from '../../../core/io/why-file.ts';
import { type FormFile, multipart } from '../../api/form.ts';
import type { Context } from '../../context.ts';
import { pathOf } from './view.ts';

const MAX_FILE = 1024 * 1024;

interface Options {
  readonly pem?: string[];
  readonly chain?: string[];
  readonly zip?: string[];
  readonly environment?: string;
  readonly acceptNewChain?: boolean;
}

/** A certificate that was signed for a rotation's own key. */
export default async function attach({ terminal, api }: Context, options: Options, credential: string): Promise<void> {
  const { pem = [], chain = [], zip = [], environment, acceptNewChain } = options;
  const paths = [...new Set([...pem, ...chain, ...zip])];
  if (paths.length === 0) {
    throw new KeyturnError('invalid_input', 'There is no certificate to attach.', {
      fix: 'Give --pem FILE for the certificate, and --chain FILE for its chain.',
    });
  }
  const files: FormFile[] = [];
  for (const path of paths) files.push({ field: 'file', name: basename(path), bytes: await read(path) });
  const form = multipart(files, {
    ...(environment === undefined ? {} : { environment }),
    ...(acceptNewChain === true ? { acceptNewChain: 'true' } : {}),
  });
  const attached = (await (
    await api()
  ).call({
    method: 'POST',
    path: `${pathOf(credential)}/certificate`,
    form,
  })) as { version: number; warnings: readonly { message: string }[] };
  terminal.result(attached, [
    `Version ${attached.version} of ${credential} has its certificate; the rotation goes on.`,
  ]);
  for (const { message } of attached.warnings) terminal.warn(message);
}

async function read(path: string): Promise<Buffer> {
  const bytes = await readAtMost(path, MAX_FILE).catch((error: unknown) => {
    throw new KeyturnError('invalid_input', `${path} can't be read${whyFile(error)}.`, { fix: 'Check the path.' });
  });
  if (bytes !== null && bytes.length > 0) return bytes;
  throw new KeyturnError('invalid_input', `${path} is empty, or larger than ${MAX_FILE} bytes.`, {
    fix: 'Give the file with the certificate.',
  });
}
