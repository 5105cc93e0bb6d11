import type { JsonObject } from '../../core/canonical-json.ts';
import { timestamp } from '../../core/clock.ts';
import { KeyturnError } from '../../core/errors.ts';
import type { RotationRow, VersionRow } from '../../ledger/tables.ts';
import type { Certificate } from '../../x509/certificate.ts';
import type { Progress } from '../workflow/journal.ts';

/** A certificate for a key of ours, judged. */
export interface Attached {
  readonly certificate: Certificate;
  /** Leaf-side first. */
  readonly chain: readonly Certificate[];
}

/** Who gave it. */
export interface AttachedBy {
  readonly actor: string;
  readonly now: number;
}

/**
 * What makes a version of our key and the certificate that came for it: staged at once, since the key is known to lie in
 * its store.
 */
export function attachment(
  row: RotationRow,
  { certificate, chain }: Attached,
  { actor, now }: AttachedBy,
  done: string,
): Progress {
  const { credential, version, store, record, spki } = row;
  if (version === null || store === null || record === null || spki === null) {
    throw new KeyturnError('internal', 'A certificate came for a key that there is not.');
  }
  const custody: JsonObject = {
    issuedBy: row.issuer,
    attachedBy: actor,
    attachedAt: timestamp(now),
    rotation: row.id,
    subject: certificate.subject,
    issuer: certificate.issuer,
    serial: certificate.serial,
    spki,
    fingerprint: certificate.fingerprint,
    notBefore: timestamp(certificate.notBefore),
    notAfter: timestamp(certificate.notAfter),
    keyOrigin: 'keyturn',
  };
  const made: VersionRow = {
    credential,
    version,
    state: 'staged',
    spki,
    serial: certificate.serial,
    subject: certificate.subject,
    issuer: certificate.issuer,
    not_before: certificate.notBefore,
    not_after: certificate.notAfter,
    certificate: certificate.pem,
    chain: chain.map(({ pem }) => pem).join(''),
    store,
    record,
    custody: JSON.stringify(custody),
    created_at: now,
    changed_at: now,
  };
  return {
    checks: [{ rule: 'key-unseen', table: 'versions', none: { spki, state: { not: 'abandoned' } } }],
    writes: [{ insert: 'versions', row: made }],
    entry: {
      kind: 'version.issued',
      version,
      data: { state: 'staged', spki, serial: certificate.serial, store, record, custody, done },
    },
  };
}
