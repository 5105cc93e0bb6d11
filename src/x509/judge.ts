import { KeyturnError } from '../core/errors.ts';
import type { Certificate } from './certificate.ts';
import { isSelfSigned, orderChain, verifyChain } from './chain.ts';
import { refuseWeakKey } from './key-strength.ts';
import type { PrivateKeyFile } from './private-key.ts';

const DAY_MS = 86_400_000;
const NEAR_EXPIRY_DAYS = 30;

const STRONG_HASHES = new Set(['SHA-256', 'SHA-384', 'SHA-512']);
/** RFC 8410 section 3. */
const ED25519 = '1.3.101.112';

export interface Candidate {
  readonly key: Pick<PrivateKeyFile, 'spki'> | null;
  /** Leaf and issuers mixed, in any order. */
  readonly certificates: readonly Certificate[];
  /** Issuers that are trusted to end the chain; null when only the upload's own can tell. */
  readonly issuerChain: readonly Certificate[] | null;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Days before expiry from which a warning is given. Default 30. */
  readonly nearExpiryDays?: number;
}

export interface Warning {
  readonly code:
    | 'near_expiry'
    | 'issuer_near_expiry'
    | 'no_extended_key_usage'
    | 'unused_certificates'
    | 'root_missing';
  readonly message: string;
}

export interface Judgement {
  readonly leaf: Certificate;
  /** Issuers, leaf-side first, root last if it was given; without the leaf. */
  readonly chain: Certificate[];
  readonly warnings: Warning[];
}

/**
 * Would a partner accept this key and certificate? The leaf is the certificate of the key; of several the one that
 * lasts longest among those valid now.
 * @throws KeyturnError, exactly one of `key_missing`, `certificate_missing`, `key_mismatch`, `certificate_expired`,
 * `certificate_not_yet_valid`, `certificate_not_for_clients`, `key_too_weak`, `chain_missing`, `chain_untrusted`.
 */
export function judgeClientCredential(candidate: Candidate): Judgement {
  const { certificates, issuerChain, now, nearExpiryDays = NEAR_EXPIRY_DAYS } = candidate;
  const leaf = findLeaf(candidate);
  refuseDates(leaf, now);
  refuseOtherUse(leaf);
  refuseWeakKey(leaf.raw.publicKey);
  refuseWeakSignature(leaf);
  const chain = findChain(leaf, certificates, issuerChain, now);
  for (const issuer of chain) {
    refuseWeakKey(issuer.raw.publicKey);
    if (!isSelfSigned(issuer)) refuseWeakSignature(issuer);
  }
  return { leaf, chain, warnings: warningsOf(leaf, chain, certificates, now + nearExpiryDays * DAY_MS) };
}

function findLeaf({ key, certificates, now }: Candidate): Certificate {
  if (key === null) {
    throw new KeyturnError('key_missing', 'The upload holds no private key.', {
      fix: 'Upload the file that holds the key beside its certificate.',
    });
  }
  const leaves = certificates.filter(({ spki }) => spki === key.spki);
  const isValid = (one: Certificate) => Number(one.notBefore <= now && now <= one.notAfter);
  const [leaf] = leaves.toSorted((a, b) => isValid(b) - isValid(a) || b.notAfter - a.notAfter);
  if (leaf !== undefined) return leaf;
  if (certificates.every(({ isCa }) => isCa)) {
    const found = certificates.length === 0 ? 'no certificate' : 'only certificates of authorities';
    throw new KeyturnError('certificate_missing', `The upload holds a private key and ${found}.`, {
      fix: 'Upload the client certificate that the partner issued for this key as well.',
    });
  }
  throw new KeyturnError('key_mismatch', `The private key belongs to none of: ${subjectsOf(certificates)}.`, {
    fix: 'Upload the key and the certificate that were generated together.',
    facts: { spki: key.spki },
  });
}

/** RFC 5280 section 4.1.2.5: both ends belong to the validity. */
function refuseDates(leaf: Certificate, now: number): void {
  if (now > leaf.notAfter) {
    throw new KeyturnError('certificate_expired', `"${leaf.subject}" expired on ${day(leaf.notAfter)}.`, {
      fix: 'Generate a new certificate at the partner and import that.',
      facts: { notAfter: leaf.notAfter },
    });
  }
  if (now < leaf.notBefore) {
    throw new KeyturnError(
      'certificate_not_yet_valid',
      `"${leaf.subject}" is valid only from ${day(leaf.notBefore)}.`,
      {
        fix: 'Check this machine’s clock; if it is right, import the certificate after that time.',
        facts: { notBefore: leaf.notBefore },
      },
    );
  }
}

function refuseOtherUse(leaf: Certificate): void {
  if (leaf.clientAuth && !leaf.isCa) return;
  const found = leaf.isCa ? 'is a certificate authority’s' : `is not for TLS clients: ${leaf.usage}`;
  throw new KeyturnError('certificate_not_for_clients', `"${leaf.subject}" ${found}.`, {
    fix: 'Ask the partner for a client certificate (extended key usage clientAuth, key usage digitalSignature).',
  });
}

function refuseWeakSignature({ subject, raw, signatureAlgorithm, signatureHash }: Certificate): void {
  if (signatureAlgorithm === ED25519 || (signatureHash !== null && STRONG_HASHES.has(signatureHash))) return;
  const algorithm = `${raw.signatureAlgorithm ?? signatureAlgorithm} (${signatureHash ?? 'no known hash'})`;
  throw new KeyturnError('key_too_weak', `"${subject}" is signed with ${algorithm}, which is not accepted.`, {
    fix: 'Ask the partner for a certificate that is signed with SHA-256 or better.',
  });
}

function findChain(
  leaf: Certificate,
  certificates: readonly Certificate[],
  issuerChain: readonly Certificate[] | null,
  now: number,
): Certificate[] {
  const others = certificates.filter(({ spki }) => spki !== leaf.spki);
  if (others.length === 0 && (issuerChain ?? []).length === 0) {
    throw new KeyturnError('chain_missing', `No certificate of an issuer came with "${leaf.subject}".`, {
      fix: 'Upload the partner’s certificate chain as well (at Lean: "Certificate chain" in the portal).',
    });
  }
  const candidates = orderChain(leaf, [...others, ...(issuerChain ?? [])]);
  const verdict = verifyChain(leaf, candidates.length > 0 ? candidates : others, now, issuerChain ?? undefined);
  if (verdict.ok) return [...verdict.path];
  throw new KeyturnError('chain_untrusted', `The certificate does not chain to its issuer: ${verdict.reason}.`, {
    fix: 'Upload the chain of the same environment as the certificate, downloaded from the partner now.',
    facts: { issuer: leaf.issuer },
  });
}

function warningsOf(
  leaf: Certificate,
  chain: readonly Certificate[],
  certificates: readonly Certificate[],
  soon: number,
): Warning[] {
  const warnings: Warning[] = [];
  const warn = (code: Warning['code'], message: string) => warnings.push({ code, message });
  if (leaf.notAfter < soon) warn('near_expiry', `The certificate expires on ${day(leaf.notAfter)}.`);
  for (const issuer of chain.filter(({ notAfter }) => notAfter < soon)) {
    warn('issuer_near_expiry', `The issuer "${issuer.subject}" expires on ${day(issuer.notAfter)}.`);
  }
  if (!leaf.hasEku) warn('no_extended_key_usage', 'The certificate names no extended key usage, so it allows any.');
  const top = chain.at(-1);
  if (top !== undefined && !isSelfSigned(top))
    warn('root_missing', `The chain ends below its root, at "${top.subject}".`);
  const used = new Set([leaf, ...chain].map(({ fingerprint }) => fingerprint));
  const unused = certificates.filter(({ fingerprint }) => !used.has(fingerprint));
  if (unused.length > 0) warn('unused_certificates', `Not part of the chain, left out: ${subjectsOf(unused)}.`);
  return warnings;
}

function subjectsOf(certificates: readonly Certificate[]): string {
  const shown = certificates.slice(0, 4).map(({ subject }) => `"${subject}"`);
  return (
    shown.join(', ') + (certificates.length > shown.length ? ` and ${certificates.length - shown.length} more` : '')
  );
}

/** `2026-11-23T10:00:00Z`. */
function day(epochMs: number): string {
  return new Date(epochMs).toISOString().replace('.000Z', 'Z');
}
