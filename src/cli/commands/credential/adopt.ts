import { KeyturnError } from '../../../core/errors.ts';
import type { Api } from '../../api/api.ts';
import { multipart } from '../../api/form.ts';
import type { Context } from '../../context.ts';
import { facts } from '../../terminal/terminal.ts';
import { nextOf } from '../rotation/next.ts';
import { type Answers, withAnswers } from './answers.ts';

interface Options {
  readonly from?: string;
  readonly path?: string;
  readonly keyField?: string;
  readonly certificateField?: string;
  readonly chainField?: string;
  readonly passwordField?: string;
  readonly passwordFile?: string;
  readonly password?: boolean;
  readonly environment?: string;
  readonly acceptNewChain?: boolean;
  readonly store?: string;
  readonly companion?: string[];
}

interface Adopted {
  readonly credential: string;
  readonly version: number;
  readonly state: string;
  readonly custody: Readonly<Record<'subject' | 'serial' | 'spki' | 'notAfter' | 'importedBy', string>>;
  readonly warnings: readonly { readonly message: string }[];
  readonly original: { readonly store: string; readonly path: string; readonly version: string };
  readonly companions: readonly { readonly name: string; readonly generation: number }[];
}

export default async function adopt({ terminal, api }: Context, options: Options, credential: string): Promise<void> {
  const fields = fieldsOf(options);
  const open = await api();
  const { environment, passwordFile } = options;
  const given = { credential, environment, passwordFile, askPassword: options.password === true };
  const adopted = await withAnswers(given, (answers) => post(open, credential, fields, answers));
  for (const { message } of adopted.warnings) terminal.warn(message);
  const { version, state, custody, original, companions } = adopted;
  terminal.result(adopted, [
    `Adopted version ${version} of ${credential} from ${original.path} in ${original.store}; it is ${state}.`,
    ...facts([
      ['subject', custody.subject],
      ['serial', custody.serial],
      ['spki', custody.spki],
      ['notAfter', custody.notAfter],
      ['importedBy', custody.importedBy],
      ['original', `${original.store} ${original.path} version ${original.version}`],
      ['companions', companions.map(({ name, generation }) => `${name} (generation ${generation})`).join(', ') || null],
    ]),
  ]);
  terminal.note(
    `The original is left at ${original.path}. Destroy it there with all its versions, and replace the key when others ` +
      'may have read it: whoever could has it still.',
  );
  if (state === 'staged') terminal.note(await nextOf(open, credential, version));
}

/** As the form has them. @throws KeyturnError `invalid_input`. */
function fieldsOf(options: Options): Record<string, string> {
  const { from, path, keyField, certificateField, chainField, passwordField, store } = options;
  if (from === undefined || path === undefined) {
    throw new KeyturnError('invalid_input', 'Where does the key lie?', {
      fix: 'Give --from STORE and --path PATH; see the stores: keyturn store list',
    });
  }
  const named = { from, path, keyField, certificateField, chainField, passwordField, store };
  const form: Record<string, string> = {};
  for (const [name, value] of Object.entries(named)) if (value !== undefined) form[name] = value;
  if (options.acceptNewChain === true) form['acceptNewChain'] = 'true';
  for (const pair of options.companion ?? []) {
    const [name = '', field = ''] = pair.split('=', 2);
    if (name === '' || field === '') {
      throw new KeyturnError('invalid_input', 'A companion is given as NAME=FIELD.', {
        fix: 'For example: --companion lean-app-token=app_token',
      });
    }
    form[`companion.${name}`] = field;
  }
  return form;
}

async function post(
  api: Api,
  credential: string,
  fields: Readonly<Record<string, string>>,
  { environment, password }: Answers,
): Promise<Adopted> {
  const files = password === null ? [] : [{ field: 'password', name: 'password', bytes: password.bytes }];
  const form = multipart(files, { ...fields, ...(environment === undefined ? {} : { environment }) });
  try {
    const path = `/v1/credentials/${encodeURIComponent(credential)}/adoptions`;
    return (await api.call({ method: 'POST', path, form })) as Adopted;
  } finally {
    form.body.fill(0);
  }
}
