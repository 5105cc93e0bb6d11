import { basename } from 'node:path';
import { KeyturnError } from '../../../core/errors.ts';
import { readAtMost } from '../../../core/io/read-at-most.ts';
import { whyFile } from '../../../core/io/why-file.ts';
import type { Api } from '../../api/api.ts';
import { type FormFile, multipart } from '../../api/form.ts';
import type { Context } from '../../context.ts';
import { EXIT } from '../../terminal/exit.ts';
import { facts } from '../../terminal/terminal.ts';
import { nextOf } from '../rotation/next.ts';
import { type Answers, withAnswers } from './answers.ts';
import { removeSources, type Source } from './remove-sources.ts';

/** What the server takes, octets: more need not be read, nor sent. */
const MAX_FILE = 1024 * 1024;
const MAX_FILES = 8;

interface Options {
  readonly zip?: string[];
  readonly p12?: string[];
  readonly pem?: string[];
  readonly chain?: string[];
  readonly environment?: string;
  readonly acceptNewChain?: boolean;
  readonly passwordFile?: string;
  readonly removeSource?: boolean;
  readonly store?: string;
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

/** Exit code 10 when the import is done but a source could not be removed as asked. */
export default async function importCommand(
  { terminal, api }: Context,
  options: Options,
  credential: string,
): Promise<number> {
  const { zip = [], p12 = [], pem = [], chain = [] } = options;
  const paths = [...new Set([...zip, ...p12, ...pem, ...chain])];
  if (paths.length === 0) {
    throw new KeyturnError('invalid_input', 'Nothing to import.', {
      fix: 'Give --zip FILE, --p12 FILE, or --pem FILE for each file.',
    });
  }
  if (paths.length > MAX_FILES) throw tooLarge(`At most ${MAX_FILES} files go into one import.`);
  const open = await api();
  const files: FormFile[] = [];
  let imported: Imported;
  try {
    for (const path of paths) files.push(await readUpload(path));
    const { environment, passwordFile, store } = options;
    const acceptNewChain = options.acceptNewChain === true;
    imported = await withAnswers({ credential, environment, passwordFile }, (answers) =>
      post(open, credential, files, { ...answers, acceptNewChain, store }),
    );
  } finally {
    for (const { bytes } of files) bytes.fill(0);
  }
  const sources = options.removeSource === true ? await removeSources(paths) : null;
  report(imported, sources, terminal);
  const { state, version } = imported;
  if (state === 'staged') terminal.note(await nextOf(open, credential, version));
  return sources?.some(({ removed }) => !removed) === true ? EXIT.attention : 0;
}

async function readUpload(path: string): Promise<FormFile> {
  const bytes = await readAtMost(path, MAX_FILE).catch((error: unknown) => {
    throw new KeyturnError('invalid_input', `${path} can't be read${whyFile(error)}.`, { fix: 'Check the path.' });
  });
  if (bytes === null) throw tooLarge(`${path} is larger than ${MAX_FILE} bytes.`);
  if (bytes.length > 0) return { field: 'file', name: basename(path), bytes };
  throw new KeyturnError('invalid_input', `${path} is empty.`, { fix: 'Fetch the file again from the partner.' });
}

function tooLarge(message: string): KeyturnError {
  return new KeyturnError('payload_too_large', message, {
    fix: 'Import one key with its certificate and chain; they are a few kilobytes.',
  });
}

async function post(
  api: Api,
  credential: string,
  files: readonly FormFile[],
  more: Answers & { readonly acceptNewChain: boolean; readonly store: string | undefined },
): Promise<Imported> {
  const parts =
    more.password === null ? files : [...files, { field: 'password', name: 'password', bytes: more.password.bytes }];
  const form = multipart(parts, {
    ...(more.environment === undefined ? {} : { environment: more.environment }),
    ...(more.acceptNewChain ? { acceptNewChain: 'true' } : {}),
    ...(more.store === undefined ? {} : { store: more.store }),
  });
  try {
    const path = `/v1/credentials/${encodeURIComponent(credential)}/versions`;
    return (await api.call({ method: 'POST', path, form })) as Imported;
  } finally {
    form.body.fill(0);
  }
}

function report(imported: Imported, sources: readonly Source[] | null, terminal: Context['terminal']): void {
  const { credential, version, state, custody, warnings } = imported;
  for (const { message } of warnings) terminal.warn(message);
  terminal.result({ ...imported, ...(sources === null ? {} : { sources }) }, [
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
  const removed = sources?.filter((source) => source.removed).map(({ path }) => path) ?? [];
  if (removed.length > 0) {
    terminal.note(
      `Overwrote and deleted ${removed.join(', ')} (best effort: backups, snapshots, mail and the download folder’s history may hold copies).`,
    );
  }
  for (const { path } of sources?.filter((source) => !source.removed) ?? []) {
    terminal.warn(`${path} could not be overwritten and deleted: do it by hand, it holds what was imported.`);
  }
}
