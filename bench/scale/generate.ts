import { hash, type KeyObject } from 'node:crypto';
import { LogSigner } from '../../src/audit/checkpoint.ts';
import { recordEntry } from '../../src/audit/recorded.ts';
import { newId } from '../../src/core/ids.ts';
import { type LogEnd, LogTail } from '../../src/ledger/log/log-tail.ts';
import type { SignedHead } from '../../src/ledger/log/proof.ts';
import type { CredentialRow, LeaseRow, VersionRow } from '../../src/ledger/tables.ts';

/** Entries under one checkpoint, as a busy server commits them. */
const BATCH = 64;
const HOUR_MS = 3_600_000;
/** Leases that are live, at most; the others have left an entry alone. */
const LIVE_LEASES = 10_000;

export interface Size {
  readonly credentials: number;
  /** On the whole log. */
  readonly entries: number;
}

/** One commit: what a ledger writes in a transaction. */
export interface Batch {
  readonly credentials: readonly CredentialRow[];
  readonly versions: readonly VersionRow[];
  readonly leases: readonly LeaseRow[];
  readonly tail: LogTail;
  readonly head: SignedHead;
}

/**
 * A log of this size from where it ends now: an import for each credential, leases of them after that. Entries, tree and
 * checkpoints come from the code that the commits of a server use.
 */
export function* generate(
  end: LogEnd,
  size: Size,
  signer: { origin: string; privateKey: KeyObject },
): Generator<Batch> {
  const logSigner = LogSigner.create(signer.origin, signer.privateKey);
  const certificate = `-----BEGIN CERTIFICATE-----\n${'M'.repeat(1500)}\n-----END CERTIFICATE-----\n`;
  const now = Date.now();
  let made = 0;
  let leases = 0;
  let at = end;
  while (at.frontier.size < size.entries || made < size.credentials) {
    const tail = new LogTail(at, now);
    const rows = { credentials: [] as CredentialRow[], versions: [] as VersionRow[], leases: [] as LeaseRow[] };
    for (let n = 0; n < BATCH && (tail.size < size.entries || made < size.credentials); n += 1) {
      if (made < size.credentials) {
        const { credential, version } = owned(made, certificate, now);
        rows.credentials.push(credential);
        rows.versions.push(version);
        const data = { spki: version.spki, store: version.store, record: version.record, serial: version.serial };
        const about = { actor: 'person:alice', credential: credential.name, version: 1 };
        tail.append(recordEntry({ kind: 'version.imported', ...about, data }, tail.size, tail.time));
        made += 1;
        continue;
      }
      const lease = leased(nameOf((tail.size * 7919) % size.credentials), tail.size, now);
      if (leases < LIVE_LEASES) rows.leases.push(lease);
      leases += 1;
      const data = {
        lease: lease.id,
        spki: hash('sha256', lease.credential),
        expiresAt: lease.expires_at,
        grant: `service of binding-${tail.size % 400}`,
        host: '10.20.30.40',
        companions: [],
        token: lease.token,
      };
      const about = { actor: lease.principal, credential: lease.credential, version: 1, request: `req_${tail.size}` };
      tail.append(recordEntry({ kind: 'lease.granted', ...about, data }, tail.size, tail.time));
    }
    yield { ...rows, tail, head: tail.sign(logSigner) };
    at = tail.end();
  }
}

/** Names sort as they were made. */
export function nameOf(at: number): string {
  return `partner-${String(Math.floor(at / 10)).padStart(6, '0')}/env-${at % 10}`;
}

function owned(at: number, certificate: string, now: number): { credential: CredentialRow; version: VersionRow } {
  const name = nameOf(at);
  const [partner = '', environment = ''] = name.split('/');
  const version: VersionRow = {
    credential: name,
    version: 1,
    state: 'current',
    spki: hash('sha256', name),
    serial: at.toString(16),
    subject: `CN=${partner}`,
    issuer: 'CN=Partner CA',
    not_before: now - HOUR_MS,
    not_after: now + (30 + (at % 365)) * 24 * HOUR_MS,
    certificate,
    chain: certificate,
    store: 'elsewhere',
    record: `${name}/1`,
    custody: JSON.stringify({ by: 'person:alice', upload: hash('sha256', partner) }),
    created_at: now,
    changed_at: now,
  };
  return { credential: { name, partner, environment, created_at: now }, version };
}

function leased(credential: string, at: number, now: number): LeaseRow {
  return {
    id: newId('lease', now),
    credential,
    version: 1,
    principal: `service:caller-${at % 400}`,
    token: `token_${at % 400}`,
    state: 'live',
    granted_at: now,
    renewed_at: null,
    expires_at: now + HOUR_MS,
    uses: null,
    replaced_by: null,
    in_use: null,
  };
}
