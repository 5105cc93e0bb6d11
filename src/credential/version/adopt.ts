import { createHash } from 'node:crypto';
import { credentialName } from '../../access/credential-name.ts';
import { isKeyturnError, KeyturnError } from '../../core/errors.ts';
import type { SecretBytes } from '../../core/secret-bytes.ts';
import { uploadedOctets } from '../../keystore/foreign/encoded.ts';
import type { ForeignSecret } from '../../keystore/foreign/foreign-secret.ts';
import type { KeyStore } from '../../keystore/keystore.ts';
import { type Authority, authorise, denial } from '../authorise.ts';
import type { Caller } from '../caller.ts';
import { type CompanionSet, refuseUnfit, setCompanion } from '../companion.ts';
import type { Desk } from '../desk.ts';
import { storesNotHeld } from '../hold/checks.ts';
import { refused } from '../refusal.ts';
import { namedStore } from '../store/named-store.ts';
import { type Imported, type ImportRequest, importVersion } from './import.ts';

/** Characters: as configuration names paths, and more than anybody calls a field. */
const MAX_PATH = 512;
const MAX_FIELD_NAME = 128;

/** Where in a secret what lies, by field name; none of them for a secret that is one PEM or PKCS#12 as a whole. */
export interface AdoptedFields {
  readonly key?: string;
  readonly certificate?: string;
  readonly chain?: string;
  /** Holds the password of an encrypted key. */
  readonly password?: string;
}

export interface AdoptRequest extends Omit<ImportRequest, 'files' | 'adoptedFrom'> {
  /** Key store that the secret lies in, and its path as that store spells it. */
  readonly from: string;
  readonly path: string;
  readonly fields: AdoptedFields;
  /** Companion secrets that lie beside the key: name of the companion → field. */
  readonly companions: Readonly<Record<string, string>>;
}

export interface Adopted extends Imported {
  /** Where it was read, and still is. */
  readonly original: { readonly store: string; readonly path: string; readonly version: string };
  readonly companions: readonly Pick<CompanionSet, 'name' | 'generation'>[];
}

/**
 * Takes in a key that others keep in a store: authorise → the reading on record → read → an import as from files, with
 * no file between. The original is left as it is: whoever could read it before has the key still.
 * @throws KeyturnError `permission_denied` (also for a path that the configuration does not name), `not_found` (no
 * such secret or field), `keystore_unavailable` (with the missing right), and whatever an import throws.
 */
export async function adoptVersion(desk: Desk, caller: Caller, request: AdoptRequest): Promise<Adopted> {
  const credential = credentialName(request.credential);
  const authority = await authorise(desk, caller, 'credential:import', credential);
  if (Object.keys(request.companions).length > 0) await authorise(desk, caller, 'companion:write', credential);
  refuseMisplaced(request);
  const source = namedStore(desk, request.from);
  namedStore(desk, request.store);
  await refuseElsewhere(desk, caller, source, request);
  await recordReading(desk, caller, authority, request);
  using secret = await source.readForeign(request.path).catch(told);
  for (const [name, field] of Object.entries(request.companions)) refuseUnfit(name, secret.octets(field));
  const imported = await importFrom(desk, caller, request, secret);
  const companions: CompanionSet[] = [];
  for (const [name, field] of Object.entries(request.companions)) {
    const target = { credential, name, ...(request.store === undefined ? {} : { store: request.store }) };
    companions.push(await setCompanion(desk, caller, target, secret.octets(field)));
  }
  return {
    ...imported,
    original: { store: source.name, path: request.path, version: secret.version },
    companions: companions.map(({ name, generation }) => ({ name, generation })),
  };
}

/** Path and field names stand on the log for good. What was pasted in their place, such as a key, must not get there. */
function refuseMisplaced({ path, fields, companions }: AdoptRequest): void {
  const names = [...Object.values(fields), ...Object.keys(companions), ...Object.values(companions)];
  const isName = (text: string, most: number) => text.length <= most && !/\p{Cc}/u.test(text);
  if (isName(path, MAX_PATH) && names.every((name) => isName(name, MAX_FIELD_NAME))) return;
  throw new KeyturnError('invalid_input', 'A path or field name is too long, or has line breaks.', {
    fix: 'Give the names under which the secret and its fields are kept, never their content.',
  });
}

/** The configuration names what may be adopted, so that no token reads whatever the server's login may read. */
async function refuseElsewhere(desk: Desk, caller: Caller, source: KeyStore, request: AdoptRequest): Promise<void> {
  if (source.mayAdopt(request.path)) return;
  const { credential, from, path } = request;
  const facts = { from, path };
  await desk.ledger.commit({ entry: denial(caller, 'credential:import', credential, 'adopt-from', facts) });
  throw new KeyturnError('permission_denied', `keyturn.yaml does not let a key be adopted from that path of ${from}.`, {
    fix: `Have it added to adopt-from of the store ${from}, and to the policy of its login.`,
    facts: { rule: 'adopt-from' },
  });
}

/**
 * What a store says of a path that a person named is for that person: which right its login lacks, or that this is no
 * path of the kind. Other failures of a store stay inside.
 */
function told(error: unknown): never {
  if (!isKeyturnError(error, 'keystore_unavailable')) throw error;
  const { message, fix, facts } = error;
  const more = fix === undefined ? {} : { fix };
  if (facts['reason'] === 'forbidden') {
    throw new KeyturnError('permission_denied', message, { ...more, facts: { rule: 'store-login' } });
  }
  if (facts['reason'] === 'no_mount') throw new KeyturnError('invalid_input', message, more);
  throw error;
}

async function recordReading(desk: Desk, caller: Caller, authority: Authority, request: AdoptRequest): Promise<void> {
  const { credential, from, path, fields, companions } = request;
  const outcome = await desk.ledger.commit({
    checks: [...authority.checks, ...storesNotHeld(from)],
    entry: {
      kind: 'version.adopt-intended',
      actor: caller.principal.id,
      request: caller.request,
      credential,
      data: { from, path, fields: { ...fields }, companions: { ...companions }, token: caller.token.id },
    },
    refusal: denial(caller, 'credential:import', credential, 'at-commit', { from, path }),
  });
  if (!outcome.committed) throw refused(outcome.rule);
}

async function importFrom(desk: Desk, caller: Caller, request: AdoptRequest, secret: ForeignSecret): Promise<Imported> {
  const { fields } = request;
  const parts = partsOf(fields, secret);
  const files = parts.map(({ name, octets }) => ({ name, bytes: uploadedOctets(octets) }));
  const password = fields.password === undefined ? request.password : secret.octets(fields.password);
  try {
    return await importVersion(desk, caller, {
      ...request,
      files,
      ...(password === undefined ? {} : { password }),
      adoptedFrom: {
        store: request.from,
        path: request.path,
        version: secret.version,
        sha256: Object.fromEntries(parts.map(({ name, octets }) => [name, sha256(octets)])),
      },
    });
  } catch (error) {
    if (!isKeyturnError(error, 'key_password_required')) throw error;
    throw new KeyturnError('key_password_required', error.message, {
      fix: 'Give its password: --password-field FIELD where it lies beside the key, else --password-file FILE.',
      facts: error.facts,
    });
  } finally {
    for (const { bytes } of files) bytes.fill(0);
  }
}

/** What is imported: the fields that were named, each once; for none the whole. */
function partsOf({ key, certificate, chain }: AdoptedFields, secret: ForeignSecret) {
  const named = [...new Set([key, certificate, chain].filter((field) => field !== undefined))];
  if (named.length === 0) return [{ name: 'secret', octets: secret.octets(null) }];
  return named.map((name) => ({ name, octets: secret.octets(name) }));
}

function sha256(octets: SecretBytes): string {
  return createHash('sha256').update(octets.bytes).digest('hex');
}
