import { KeyturnError } from '../../../core/errors.ts';
import { SecretBytes } from '../../../core/secret-bytes.ts';
import type { Desk } from '../../../credential/desk.ts';
import { type AdoptRequest, adoptVersion } from '../../../credential/version/adopt.ts';
import { ok, type Route, route, type UploadedFile } from '../../http/route.ts';
import { credentialParam } from '../../schemas.ts';

/** Form fields that name where in the secret what lies, as the use case calls them. */
const FIELDS = {
  keyField: 'key',
  certificateField: 'certificate',
  chainField: 'chain',
  passwordField: 'password',
} as const;
const OTHERS = ['from', 'path', 'environment', 'acceptNewChain', 'store'];
const COMPANION = 'companion.';

/** Keys that lie in a store of somebody else's making. */
export function adoptionRoutes(desk: Desk): Route[] {
  return [
    route({
      id: 'adoptVersion',
      method: 'post',
      path: '/v1/credentials/{name}/adoptions',
      summary: 'Import a key from a secret that others keep in a key store, with no file between (multipart/form-data)',
      params: credentialParam,
      body: { kind: 'upload' },
      success: { status: 201, description: 'The custody record, and where the original is left' },
      problems: [
        'permission_denied',
        'not_found',
        'held',
        'key_mismatch',
        'chain_untrusted',
        'key_seen_before',
        'environment_required',
        'keystore_unavailable',
      ],
      handle: async ({ params, files, fields }, caller) =>
        ok(await adoptVersion(desk, caller, { credential: params.name, ...orderOf(files, fields) }), 201),
    }),
  ];
}

/**
 * Form fields: `from`, `path`, `keyField`, `certificateField`, `chainField`, `passwordField`, `companion.NAME` (a
 * field), `environment`, `acceptNewChain`, `store`; a password that is no field comes as a file part named `password`.
 */
function orderOf(
  files: readonly UploadedFile[],
  form: Readonly<Record<string, string>>,
): Omit<AdoptRequest, 'credential'> {
  const unknown = Object.keys(form).some(
    (name) => !(name in FIELDS) && !OTHERS.includes(name) && !name.startsWith(COMPANION),
  );
  const [password, ...more] = files;
  if (unknown || more.length > 0 || (password !== undefined && password.field !== 'password')) {
    throw new KeyturnError('invalid_input', 'The form has a part that this operation does not know.', {
      fix: `Parts are ${[...OTHERS, ...Object.keys(FIELDS), `${COMPANION}NAME`].join(', ')}, and a file part password.`,
    });
  }
  // Whoever may not do this is told so first: that they are missing is the use case's to say.
  const { from = '', path = '', environment, store } = form;
  const named = Object.entries(FIELDS).flatMap(([part, what]) => {
    const field = form[part];
    return field === undefined ? [] : [[what, field] as const];
  });
  const companions = Object.entries(form).filter(([name]) => name.startsWith(COMPANION));
  return {
    from,
    path,
    fields: Object.fromEntries(named),
    companions: Object.fromEntries(companions.map(([name, field]) => [name.slice(COMPANION.length), field])),
    acceptNewChain: form['acceptNewChain'] === 'true',
    ...(password === undefined ? {} : { password: SecretBytes.own(password.bytes) }),
    ...(environment === undefined ? {} : { environmentConfirmed: environment }),
    ...(store === undefined ? {} : { store }),
  };
}
