import type { Certificate } from './certificate.ts';

/** Longer paths are not built; the public web's are 3 or 4. */
const MAX_PATH = 8;
/** Bounds the search when certificates cross-sign one another. */
const MAX_STEPS = 256;

/** `path`: the issuers, leaf-side first, the root last when it is among them. `reason`: why no path holds, for people. */
export type ChainVerdict =
  | { readonly ok: true; readonly path: readonly Certificate[] }
  | { readonly ok: false; readonly reason: string };

/** True when the certificate is signed with its own key. */
export function isSelfSigned(certificate: Certificate): boolean {
  return hasSigned(certificate, certificate);
}

/** Each certificate once, in the order of their first appearance. */
export function withoutDuplicates(certificates: readonly Certificate[]): Certificate[] {
  const seen = new Set<string>();
  return certificates.filter(({ fingerprint }) => !seen.has(fingerprint) && seen.add(fingerprint) !== undefined);
}

/**
 * The leaf's ancestors among the candidates, which may come in any order: nearest first, roots last, each once,
 * without the leaf. Says nothing about dates or trust; see {@link verifyChain}.
 */
export function orderChain(leaf: Certificate, candidates: readonly Certificate[]): Certificate[] {
  let left = withoutDuplicates(candidates).filter(({ fingerprint }) => fingerprint !== leaf.fingerprint);
  const ordered: Certificate[] = [];
  for (let generation = [leaf]; generation.length > 0; ) {
    const parents = left.filter((candidate) => generation.some((child) => hasSigned(candidate, child)));
    left = left.filter((candidate) => !parents.includes(candidate));
    ordered.push(...parents);
    generation = parents;
  }
  return [...ordered.filter((one) => !isSelfSigned(one)), ...ordered.filter(isSelfSigned)];
}

/**
 * RFC 5280 section 6.1, as far as client certificates of private authorities need it: names, key identifiers and
 * signatures (by node:crypto), validity of every member at `now`, basicConstraints, keyCertSign, path length, critical
 * extensions. Name constraints and policies are not evaluated, revocation is not looked up.
 *
 * `anchors` are trusted; without them all issuers are. A path must end at the top of what is trusted: in a certificate
 * that no other trusted one has issued. So an expired root is not got around by stopping below it.
 */
export function verifyChain(
  leaf: Certificate,
  issuers: readonly Certificate[],
  now: number,
  anchors?: readonly Certificate[],
): ChainVerdict {
  const search: Search = {
    candidates: withoutDuplicates([...issuers, ...(anchors ?? [])]),
    anchors: new Set(topsOf(anchors ?? issuers).map(({ fingerprint }) => fingerprint)),
    now,
    stepsLeft: MAX_STEPS,
    fault: null,
    end: `no certificate given is the issuer of "${leaf.subject}", which is "${leaf.issuer}"`,
  };
  const fault = faultOfMember(leaf, now);
  if (fault !== null) return { ok: false, reason: fault };
  const path = climb(search, leaf, []);
  return path === null ? { ok: false, reason: search.fault ?? search.end } : { ok: true, path };
}

function topsOf(certificates: readonly Certificate[]): Certificate[] {
  const isBelow = (one: Certificate) =>
    !isSelfSigned(one) &&
    certificates.some((other) => other.fingerprint !== one.fingerprint && one.raw.checkIssued(other.raw));
  return certificates.filter((one) => !isBelow(one));
}

interface Search {
  readonly candidates: readonly Certificate[];
  readonly anchors: ReadonlySet<string>;
  readonly now: number;
  stepsLeft: number;
  /** What was wrong with the last certificate that could have been the issuer. */
  fault: string | null;
  /** Where the last way up ended. */
  end: string;
}

/** Depth first; null when no way up from `below` ends in an anchor. */
function climb(search: Search, below: Certificate, path: readonly Certificate[]): readonly Certificate[] | null {
  if (path.length < MAX_PATH && !(path.length > 0 && isSelfSigned(below))) {
    for (const issuer of search.candidates) {
      if (issuer === below || path.includes(issuer) || search.stepsLeft-- <= 0) continue;
      const fault = faultOfIssuer(issuer, below, path, search.now);
      if (fault === NOT_THE_ISSUER) continue;
      if (fault !== null) search.fault = fault;
      const found = fault === null ? climb(search, issuer, [...path, issuer]) : null;
      if (found !== null) return found;
    }
  }
  if (path.length > 0 && search.anchors.has(below.fingerprint)) return path;
  if (path.length > 0) search.end = `the chain ends at "${below.subject}", which is not a trusted issuer`;
  return null;
}

const NOT_THE_ISSUER = 'not the issuer';

/** Null when `issuer` may stand above `below`; `path` holds the issuers under it. */
function faultOfIssuer(
  issuer: Certificate,
  below: Certificate,
  path: readonly Certificate[],
  now: number,
): string | null {
  if (!below.raw.checkIssued(issuer.raw)) {
    return names(issuer, below) && !issuer.isCa ? `"${issuer.subject}" is not a certificate authority` : NOT_THE_ISSUER;
  }
  if (!issuer.isCa) return `"${issuer.subject}" is not a certificate authority`;
  if (!below.raw.verify(issuer.raw.publicKey)) return `the signature on "${below.subject}" is not of its issuer's key`;
  // RFC 5280 section 6.1.4 (l), (m): self-issued certificates do not count.
  const between = path.filter(({ subject, issuer: above }) => subject !== above).length;
  if (issuer.pathLength !== null && between > issuer.pathLength) {
    return `"${issuer.subject}" allows ${issuer.pathLength} authorities below it, and there are ${between}`;
  }
  return faultOfMember(issuer, now);
}

function faultOfMember(certificate: Certificate, now: number): string | null {
  const { subject, notBefore, notAfter, unknownCritical } = certificate;
  if (now > notAfter) return `"${subject}" expired on ${new Date(notAfter).toISOString()}`;
  if (now < notBefore) return `"${subject}" is not valid before ${new Date(notBefore).toISOString()}`;
  if (unknownCritical.length > 0) return `"${subject}" has the unknown critical extension ${unknownCritical[0]}`;
  return null;
}

function names(issuer: Certificate, below: Certificate): boolean {
  return issuer.subject === below.issuer;
}

function hasSigned(issuer: Certificate, below: Certificate): boolean {
  return below.raw.checkIssued(issuer.raw) && below.raw.verify(issuer.raw.publicKey);
}
