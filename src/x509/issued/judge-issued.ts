import { type ErrorCode, KeyturnError } from '../../core/errors.ts';
import type { Certificate } from '../certificate.ts';
import { isSelfSigned, orderChain } from '../chain.ts';
import { judgeClientCredential, type Warning } from '../judge.ts';
import { typed } from '../peculiar.ts';
import { alternativeNames, type RequestedIdentity, subjectOf } from '../request/identity.ts';
import { namesIn } from '../request/read-request.ts';

/** What an issuer was asked for. */
export interface Asked {
  /** Of the key that the certificate is for, lower-case hex. */
  readonly spki: string;
  readonly identity: RequestedIdentity;
  /** Longest time from now on; null for whatever the issuer gives. */
  readonly lifetimeSeconds: number | null;
  /** Issuers that are trusted to end the chain; null when only what came can tell. */
  readonly issuerChain: readonly Certificate[] | null;
}

/** One way in which a certificate is not what was asked for. `code` is stable, `message` is for people. */
export interface Mismatch {
  readonly code: ErrorCode | 'subject_differs' | 'names_differ' | 'lifetime_exceeded' | 'usage_exceeded';
  readonly message: string;
}

export interface IssuedJudgement {
  /** Issuers, leaf-side first; where no chain holds, whatever issuers came. */
  readonly chain: readonly Certificate[];
  /** Empty when the certificate may be used. */
  readonly mismatches: readonly Mismatch[];
  readonly warnings: readonly Warning[];
}

/** How far an issuer's clock may be ahead of ours. */
const CLOCK_TOLERANCE_MS = 60_000;

/**
 * Judges what an issuer gave as strictly as an import is judged, and besides against what it was asked for: the same
 * common name and nothing in the subject that was not asked, exactly the names asked, TLS clients alone, no longer
 * life. Says everything that is wrong, since whoever reads it must talk to the issuer; throws nothing.
 * @param issuers whatever came with the leaf, in any order.
 */
export function judgeIssued(
  leaf: Certificate,
  issuers: readonly Certificate[],
  asked: Asked,
  now: number,
): IssuedJudgement {
  const { spki, issuerChain } = asked;
  const mismatches = deviationsOf(leaf, asked, now);
  try {
    const key = { spki };
    const { chain, warnings } = judgeClientCredential({ key, certificates: [leaf, ...issuers], issuerChain, now });
    return { chain, mismatches, warnings };
  } catch (error) {
    if (!(error instanceof KeyturnError)) throw error;
    const chain = orderChain(leaf, issuers);
    return { chain, mismatches: [{ code: error.code, message: error.message }, ...mismatches], warnings: [] };
  }
}

/** How a certificate is other than what was asked for, whoever issued it. */
export function deviationsOf(
  leaf: Certificate,
  asked: Pick<Asked, 'identity' | 'lifetimeSeconds'>,
  now: number,
): Mismatch[] {
  return [...subjectFaults(leaf, asked), ...nameFaults(leaf, asked), ...termFaults(leaf, asked, now)];
}

/** Parts may be missing, as authorities leave out what their policy does not allow; the common name may not. */
function subjectFaults(leaf: Certificate, { identity }: Pick<Asked, 'identity'>): Mismatch[] {
  const wanted = new Set(partsOf(subjectOf(identity)));
  const found = partsOf(leaf.subject);
  const extra = found.filter((part) => !wanted.has(part));
  const commonName = [...wanted].find((part) => part.startsWith('CN='));
  if (extra.length === 0 && (commonName === undefined || found.includes(commonName))) return [];
  const message = `The certificate is for "${leaf.subject}", asked was "${subjectOf(identity)}".`;
  return [{ code: 'subject_differs', message }];
}

/** Of a name as {@link distinguishedName} writes it: commas and pluses within a value are escaped there. */
function partsOf(name: string): string[] {
  return name.split(/(?<!\\)[,+]/);
}

function nameFaults(leaf: Certificate, { identity }: Pick<Asked, 'identity'>): Mismatch[] {
  const wanted = namesIn(alternativeNames(identity));
  const certificate = new typed.X509Certificate(leaf.der);
  const found = namesIn(certificate.getExtension(typed.SubjectAlternativeNameExtension));
  if (wanted.join('\n') === found.join('\n')) return [];
  const message = `The certificate names ${shown(found)}, asked was ${shown(wanted)}.`;
  return [{ code: 'names_differ', message }];
}

const MAX_SHOWN = 8;

/** A certificate may hold any text there: one line, short. */
function shown(names: readonly string[]): string {
  if (names.length === 0) return 'nobody';
  const text = names.slice(0, MAX_SHOWN).map((name) => name.replace(/[^ -~]/gu, '?').slice(0, 100));
  return text.join(', ') + (names.length > MAX_SHOWN ? ` and ${names.length - MAX_SHOWN} more` : '');
}

function termFaults(leaf: Certificate, { lifetimeSeconds }: Pick<Asked, 'lifetimeSeconds'>, now: number): Mismatch[] {
  const faults: Mismatch[] = [];
  if (lifetimeSeconds !== null && leaf.notAfter > now + lifetimeSeconds * 1000 + CLOCK_TOLERANCE_MS) {
    const end = new Date(leaf.notAfter).toISOString();
    faults.push({
      code: 'lifetime_exceeded',
      message: `The certificate lasts until ${end}, longer than the ${lifetimeSeconds} s asked for.`,
    });
  }
  if (!leaf.hasEku || leaf.serverAuth) {
    faults.push({ code: 'usage_exceeded', message: `The certificate is not for TLS clients alone: ${leaf.usage}.` });
  }
  if (isSelfSigned(leaf))
    faults.push({ code: 'chain_untrusted', message: 'The certificate is signed with its own key.' });
  return faults;
}
