import { open, readFile, rm, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { isKeyturnError, KeyturnError } from '../../../core/errors.ts';
import type { SecretBytes } from '../../../core/secret-bytes.ts';
import type { Api } from '../../api/api.ts';
import { type FormFile, multipart } from '../../api/form.ts';
import type { Context } from '../../context.ts';
import { confirm, secretFrom } from '../../terminal/prompt.ts';
import { facts } from '../../terminal/terminal.ts';

interface Options {
  readonly zip?: string[];
  readonly pem?: string[];
  readonly chain?: string[];
  readonly environment?: string;
  readonly acceptNewChain?: boolean;
  readonly passwordFile?: string;
  readonly removeSource?: boolean;
}

interface Imported {
  readonly credential: string;
  readonly version: number;
  readonly state: string;
  readonly custody: Readonly<
    Record<'subject' | 'serial' | 'spki' | 'notAfter' | 'importedBy', string> & { uploadSha256: readonly string[] }
  >;
  readonly warnings: readonly { readonly code: string; readonly message: string }[];
}

export default async function importCommand(
  { terminal, api }: Context,
  options: Options,
  credential: string,
): Promise<void> {
  const paths = [...(options.zip ?? []), ...(options.pem ?? []), ...(options.chain ?? [])];
  if (paths.length === 0) {
    throw new KeyturnError('invalid_input', 'Nothing to import.', {
      fix: 'Give --zip FILE, or --pem FILE for each file.',
    });
  }
  const files = await readFiles(paths);
  try {
    const imported = await upload(await api(), credential, files, options);
    report(imported, terminal);
    if (options.removeSource === true) await removeSources(paths, terminal);
  } finally {
    for (const { bytes } of files) bytes.fill(0);
  }
}

async function readFiles(paths: readonly string[]): Promise<FormFile[]> {
  const files: FormFile[] = [];
  for (const path of paths) {
    try {
      files.push({ field: 'file', name: basename(path), bytes: await readFile(path) });
    } catch {
      throw new KeyturnError('invalid_input', `${path} can't be read.`, { fix: 'Check the path.' });
    }
  }
  return files;
}

/** Asks for what the server says is missing: a password, then the environment; each once. */
async function upload(api: Api, credential: string, files: readonly FormFile[], options: Options): Promise<Imported> {
  let environment = options.environment;
  let password: SecretBytes | null =
    options.passwordFile === undefined ? null : await secretFrom(options.passwordFile, '');
  try {
    for (;;) {
      try {
        return await post(api, credential, files, {
          environment,
          password,
          acceptNewChain: options.acceptNewChain === true,
        });
      } catch (error) {
        if (isKeyturnError(error, 'key_password_required') && password === null && process.stdin.isTTY) {
          password = await secretFrom(undefined, 'Password of the key');
        } else if (isKeyturnError(error, 'environment_required') && environment === undefined) {
          const named = credential.split('/')[1] ?? '';
          if (!(await confirm(`Nothing in the chain tells the environment. Were these files downloaded for ${named}?`)))
            throw error;
          environment = named;
        } else {
          throw error;
        }
      }
    }
  } finally {
    password?.dispose();
  }
}

async function post(
  api: Api,
  credential: string,
  files: readonly FormFile[],
  more: { environment: string | undefined; password: SecretBytes | null; acceptNewChain: boolean },
): Promise<Imported> {
  const parts =
    more.password === null ? files : [...files, { field: 'password', name: 'password', bytes: more.password.bytes }];
  const form = multipart(parts, {
    ...(more.environment === undefined ? {} : { environment: more.environment }),
    ...(more.acceptNewChain ? { acceptNewChain: 'true' } : {}),
  });
  try {
    const path = `/v1/credentials/${encodeURIComponent(credential)}/versions`;
    return (await api.call({ method: 'POST', path, form })) as Imported;
  } finally {
    form.body.fill(0);
  }
}

function report(imported: Imported, terminal: Context['terminal']): void {
  const { credential, version, state, custody, warnings } = imported;
  for (const { message } of warnings) terminal.warn(message);
  terminal.result(imported, [
    `Imported version ${version} of ${credential}; it is ${state}.`,
    ...facts([
      ['subject', custody.subject],
      ['serial', custody.serial],
      ['spki', custody.spki],
      ['notAfter', custody.notAfter],
      ['importedBy', custody.importedBy],
      ['uploadSha256', custody.uploadSha256.join(' ')],
    ]),
  ]);
  if (state === 'staged') terminal.note(`Next: keyturn promote ${credential} ${version}`);
}

/** Overwrites and unlinks: on flash, snapshots and journaling file systems copies may live on. */
async function removeSources(paths: readonly string[], terminal: Context['terminal']): Promise<void> {
  for (const path of paths) {
    await using file = await open(path, 'r+');
    const { size } = await stat(path);
    await file.write(Buffer.alloc(size), 0, size, 0);
    await file.sync();
    await rm(path);
  }
  terminal.note(
    `Overwrote and deleted ${paths.join(', ')} (best effort: backups, snapshots, mail and the download folder’s history may hold copies).`,
  );
}
