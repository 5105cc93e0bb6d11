import { credentialName, partsOf } from '../../access/credential-name.ts';
import type { JsonObject } from '../../core/canonical-json.ts';
import { timestamp } from '../../core/clock.ts';
import { KeyturnError } from '../../core/errors.ts';
import { newId } from '../../core/ids.ts';
import type { SecretBytes } from '../../core/secret-bytes.ts';
import { versionRecord } from '../../keystore/record-name.ts';
import type { VersionRow } from '../../ledger/tables.ts';
import { type Judgement, judgeClientCredential } from '../../x509/judge.ts';
import type { PrivateKeyFile } from '../../x509/private-key.ts';
import { readUpload, type Upload } from '../../x509/upload.ts';
import { type Authority, authorise, denial } from '../authorise.ts';
import type { Caller } from '../caller.ts';
import type { Desk } from '../desk.ts';
import { storesNotHeld } from '../hold/checks.ts';
import { refused } from '../refusal.ts';
import { inTurn } from '../store/in-turn.ts';
import { namedStore } from '../store/named-store.ts';
import { credentialPlace, storePlace } from '../store/store-queue.ts';
import { confirmEnvironment, issuerChainFor } from './issuer-chain.ts';
import { nextVersion } from './numbers.ts';
import { finishPending } from './settle.ts';

export interface ImportRequest {
  readonly credential: string;
  /** Zips and PEM files, as uploaded. Wiped by the caller of this use case. */
  readonly files: readonly { readonly name: string; readonly bytes: Buffer }[];
  /** Opens an encrypted key. Wiped by the caller. */
  readonly password?: SecretBytes;
  /** The environment that a person confirmed, where the chain can't tell it. */
  readonly environmentConfirmed?: string;
  /** A person says that the partner's chain has changed and the new one was checked. */
  readonly acceptNewChain?: boolean;
  /** Key store that takes the key; default: the desk's default store. */
  readonly store?: string;
  /** For the custody record: the store, path and version of a secret that the files were read from. */
  readonly adoptedFrom?: JsonObject;
}

/** What an import leaves behind: the custody record, public facts only. */
export interface Imported {
  readonly credential: string;
  readonly version: number;
  readonly state: 'current' | 'staged';
  readonly custody: JsonObject;
  readonly warnings: readonly { readonly code: string; readonly message: string }[];
  readonly entry: number;
}

/**
 * Takes a partner-made key and certificate into the key store: authorise → judge → intent → write → outcome.
 * The first version of a credential becomes current, a later one is staged.
 * @throws KeyturnError with the code of whatever was found wrong; nothing is kept then. After
 * `keystore_unavailable` the version is `pending` and is settled when the store answers again.
 */
export async function importVersion(desk: Desk, caller: Caller, request: ImportRequest): Promise<Imported> {
  const credential = credentialName(request.credential);
  const authority = await authorise(desk, caller, 'credential:import', credential);
  const store = namedStore(desk, request.store);
  const upload = await readUpload(request.files, request.password);
  try {
    // In one turn with the write: what the first import pins is what the next one beside it is judged by.
    return await inTurn(desk, [storePlace(store.name), credentialPlace(credential)], async (own) => {
      const { judgement, key } = await judge(own, credential, upload, request);
      await refuseKnownKey(own, key.spki);
      const custody = custodyRecord(own, caller, upload, judgement, request);
      const row = await recordIntent(own, caller, authority, {
        credential,
        store: store.name,
        key,
        judgement,
        custody,
      });
      await store.write(row.record, key.pkcs8);
      const { state, entry } = await finishPending(own, caller.principal.id, row, caller.request);
      return { credential, version: row.version, state, custody, warnings: judgement.warnings, entry };
    });
  } finally {
    upload.key?.pkcs8.dispose();
  }
}

async function judge(
  desk: Desk,
  credential: string,
  upload: Upload,
  request: ImportRequest,
): Promise<{ judgement: Judgement; key: PrivateKeyFile }> {
  if (upload.key === null) {
    throw new KeyturnError('key_missing', 'The upload holds no private key.', {
      fix: 'Upload the zip or PEM file that holds the key beside its certificate.',
    });
  }
  const issuerChain = await issuerChainFor(desk, credential, upload, request.acceptNewChain ?? false);
  const judgement = judgeClientCredential({
    key: upload.key,
    certificates: upload.certificates,
    issuerChain,
    now: desk.clock.now(),
  });
  confirmEnvironment(desk, credential, judgement.chain, request.environmentConfirmed);
  return { judgement, key: upload.key };
}

/** A key is one version's for ever: an old or leaked key never comes back under a new number. */
async function refuseKnownKey(desk: Desk, spki: string): Promise<void> {
  const [known] = await desk.ledger.find('versions', { spki, state: { not: 'abandoned' } });
  if (known === undefined) return;
  if (known.state === 'pending') {
    throw new KeyturnError('conflict', `An import of this key (${known.credential}) is not settled yet.`, {
      fix: `Wait some seconds, then look: keyturn credential show ${known.credential}`,
      facts: { spki },
    });
  }
  throw new KeyturnError(
    'key_seen_before',
    `This key is already known as version ${known.version} of ${known.credential} (${known.state}).`,
    {
      fix: 'Generate a new certificate with a new key at the partner and import that.',
      facts: { spki, credential: known.credential, version: known.version },
    },
  );
}

function custodyRecord(
  desk: Desk,
  caller: Caller,
  upload: Upload,
  judgement: Judgement,
  request: ImportRequest,
): JsonObject {
  const { leaf } = judgement;
  return {
    importedBy: caller.principal.id,
    importedAt: timestamp(desk.clock.now()),
    uploadSha256: upload.sha256,
    ...(request.adoptedFrom === undefined ? {} : { adoptedFrom: request.adoptedFrom }),
    subject: leaf.subject,
    issuer: leaf.issuer,
    serial: leaf.serial,
    spki: leaf.spki,
    fingerprint: leaf.fingerprint,
    notBefore: timestamp(leaf.notBefore),
    notAfter: timestamp(leaf.notAfter),
    keyOrigin: 'partner',
    environment: {
      name: partsOf(request.credential).environment,
      toldBy: request.environmentConfirmed === undefined ? 'chain' : 'person',
    },
  };
}

interface Accepted {
  readonly credential: string;
  readonly store: string;
  readonly key: PrivateKeyFile;
  readonly judgement: Judgement;
  readonly custody: JsonObject;
}

async function recordIntent(desk: Desk, caller: Caller, authority: Authority, accepted: Accepted): Promise<VersionRow> {
  const row = await pendingRow(desk, accepted);
  const [known] = await desk.ledger.find('credentials', { name: row.credential });
  const outcome = await desk.ledger.commit({
    checks: [
      ...authority.checks,
      { rule: 'key-unseen', table: 'versions', none: { spki: row.spki, state: { not: 'abandoned' } } },
      // Where keys are suspected to be read by others nobody puts a new one.
      ...storesNotHeld(row.store),
    ],
    writes: [
      ...(known === undefined ? [{ insert: 'credentials', row: credentialRow(desk, row.credential) } as const] : []),
      { insert: 'versions', row },
    ],
    entry: {
      kind: 'version.import-intended',
      actor: caller.principal.id,
      request: caller.request,
      credential: row.credential,
      version: row.version,
      data: { store: row.store, record: row.record, custody: accepted.custody },
    },
    refusal: denial(caller, 'credential:import', row.credential, 'at-commit'),
  });
  if (!outcome.committed) throw refused(outcome.rule);
  return row;
}

async function pendingRow(desk: Desk, { credential, store, key, judgement, custody }: Accepted): Promise<VersionRow> {
  const version = await nextVersion(desk.ledger, credential);
  const { leaf, chain } = judgement;
  const now = desk.clock.now();
  return {
    credential,
    version,
    state: 'pending',
    spki: key.spki,
    serial: leaf.serial,
    subject: leaf.subject,
    issuer: leaf.issuer,
    not_before: leaf.notBefore,
    not_after: leaf.notAfter,
    certificate: leaf.pem,
    chain: chain.map((certificate) => certificate.pem).join(''),
    store,
    record: versionRecord(credential, version),
    custody: JSON.stringify({ ...custody, importId: newId('import', now) }),
    created_at: now,
    changed_at: now,
  };
}

function credentialRow(desk: Desk, name: string) {
  return { name, ...partsOf(name), created_at: desk.clock.now() };
}
