import { createPrivateKey, type KeyObject } from 'node:crypto';
import { isKeyturnError, KeyturnError } from '../../core/errors.ts';
import type { KeyStore } from '../../keystore/keystore.ts';
import { authorityRecord } from '../../keystore/record-name.ts';
import type { AuthorityRow } from '../../ledger/tables.ts';
import type { Certificate } from '../../x509/certificate.ts';
import { spkiOfPkcs8 } from '../../x509/private-key.ts';
import { newPrivateKey } from '../../x509/request/new-key.ts';
import { certificatesIn } from '../certificates.ts';
import { issuerUnavailable } from '../failure.ts';
import type { AuthorityHome, LocalSettings } from './options.ts';
import { signRevocationList } from './revocation-list.ts';
import { type Signing, signAuthority } from './sign.ts';

const KEY = 'EC P-256';

/**
 * The authority of this name, made when there is none: intent → key into the store → certificate, first revocation
 * list and what the store then holds, in one commit. Interrupted, the next call goes on with what it finds.
 * @throws KeyturnError `issuer_unavailable`, certainly without having issued anything; `ledger_unavailable`.
 */
export async function theAuthority(home: AuthorityHome, settings: LocalSettings): Promise<AuthorityRow> {
  const known = await newest(home, settings.name);
  if (known?.state === 'current') return known;
  try {
    return await home.inTurn(known?.store ?? home.store, async (ledger) => {
      const own = { ...home, ledger };
      const row = (await newest(own, settings.name)) ?? (await intend(own, settings.name));
      return row.state === 'current' ? row : await finish(own, settings, row);
    });
  } catch (error) {
    throw nothingIssued(error, settings.name);
  }
}

/**
 * The authority's key and certificate, for one signature or two; the key's octets are wiped at once.
 * @throws KeyturnError `issuer_unavailable`, certainly without having issued anything.
 */
export async function openAuthority(home: AuthorityHome, row: AuthorityRow): Promise<Signing> {
  try {
    using octets = await storeOf(home, row).read(row.record);
    if (spkiOfPkcs8(octets) !== onlyCertificate(row.certificate).spki) throw foreignKey(row);
    return { key: keyOf(octets.bytes), authority: row.certificate };
  } catch (error) {
    throw nothingIssued(error, row.issuer);
  }
}

async function newest({ ledger }: AuthorityHome, issuer: string): Promise<AuthorityRow | undefined> {
  const options = { orderBy: 'generation', descending: true, limit: 1 } as const;
  return (await ledger.find('authorities', { issuer }, options))[0];
}

async function intend({ ledger, store, clock }: AuthorityHome, issuer: string): Promise<AuthorityRow> {
  const now = clock.now();
  const generation = 1;
  const record = authorityRecord(issuer, generation);
  const row = {
    issuer,
    generation,
    state: 'pending' as const,
    store,
    record,
    certificate: '',
    crl: '',
    crl_number: 0,
    created_at: now,
    changed_at: now,
  };
  await ledger.commit({
    writes: [{ insert: 'authorities', row }],
    entry: { kind: 'issuer.authority-intended', actor: 'system', data: { issuer, store, record } },
  });
  return row;
}

async function finish(home: AuthorityHome, settings: LocalSettings, row: AuthorityRow): Promise<AuthorityRow> {
  const { ledger, clock } = home;
  const key = await keyInStore(home, row);
  const now = clock.now();
  const certificate = await signAuthority(key, settings.commonName, now);
  const crl = await signRevocationList({ key, authority: certificate }, [], {
    number: 1,
    now,
    seconds: settings.listSeconds,
  });
  const made = { state: 'current', certificate, crl, crl_number: 1, changed_at: now } as const;
  const { spki, fingerprint, subject } = onlyCertificate(certificate);
  const { issuer, generation } = row;
  await ledger.commit({
    writes: [
      { update: 'authorities', where: { issuer, generation, state: 'pending' }, set: made, rows: 1 },
      ...(await home.attested(row.store)),
    ],
    entry: { kind: 'issuer.authority-made', actor: 'system', data: { issuer, subject, spki, fingerprint } },
  });
  return { ...row, ...made };
}

/** The key that an interrupted attempt has left in the store, or a new one. */
async function keyInStore(home: AuthorityHome, row: AuthorityRow): Promise<KeyObject> {
  const store = storeOf(home, row);
  using standing = await store.tryRead(row.record);
  if (standing !== null) return keyOf(standing.bytes);
  const made = await newPrivateKey(KEY);
  try {
    await store.write(row.record, made.pkcs8);
    return made.key;
  } finally {
    made.pkcs8.dispose();
  }
}

function storeOf({ stores }: AuthorityHome, { store }: AuthorityRow): KeyStore {
  const found = stores.get(store);
  if (found !== undefined) return found;
  throw new KeyturnError('config_invalid', `The authority's key is in the store ${store}, which is not configured.`, {
    fix: `Put ${store} back under stores.`,
  });
}

/** The store that the authority's key rests in, or will. */
export async function storeOfAuthority(home: AuthorityHome, issuer: string): Promise<KeyStore | undefined> {
  return home.stores.get((await newest(home, issuer))?.store ?? home.store);
}

function onlyCertificate(pem: string): Certificate {
  const [certificate] = certificatesIn(pem);
  if (certificate !== undefined) return certificate;
  throw new KeyturnError('ledger_corrupt', 'The row of an authority holds no certificate.');
}

function keyOf(octets: Buffer): KeyObject {
  try {
    return createPrivateKey({ key: octets, format: 'der', type: 'pkcs8' });
  } catch {
    throw new KeyturnError('key_unreadable', 'The record of the authority holds no private key.');
  }
}

function foreignKey({ record, store }: AuthorityRow): KeyturnError {
  return new KeyturnError('key_mismatch', `The record ${record} in ${store} is not the authority's key.`);
}

/** Whatever the key store says, no certificate came of it. */
function nothingIssued(error: unknown, issuer: string): unknown {
  if (!isKeyturnError(error) || error.code === 'ledger_unavailable' || error.code === 'issuer_unavailable')
    return error;
  const fix = error.fix ?? 'Put back the key store and the ledger that belong together.';
  const facts = { cause: error.code };
  return issuerUnavailable(`The authority ${issuer} can't sign: ${error.message}`, { certain: true, fix, facts });
}
