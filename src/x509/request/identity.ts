import { KeyturnError } from '../../core/errors.ts';
import { distinguishedName } from '../encoding/distinguished-name.ts';
import { typed } from '../peculiar.ts';

/** RFC 5280 appendix A.1, upper bounds; a country is two letters. */
const LONGEST = { C: 2, ST: 128, L: 128, O: 64, OU: 64, CN: 64 } as const;

export type SubjectType = keyof typeof LONGEST;

/** What a certificate is asked to say of its holder. Public facts. */
export interface RequestedIdentity {
  /** In the order of the certificate: most general part first, `[{type: 'O', value: 'Acme'}, {type: 'CN', …}]`. */
  readonly subject: readonly { readonly type: SubjectType; readonly value: string }[];
  /** Names for the extension subjectAltName. */
  readonly dns: readonly string[];
  readonly uris: readonly string[];
}

const MAX_NAMES = 32;
/** RFC 1123 section 2.1, lower case, at least two labels. No wildcard: a client is one. */
const DNS_NAME = /^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
/** RFC 5280 section 4.2.1.6: absolute, in ASCII. */
const URI = /^[a-z][a-z0-9+.-]{0,30}:[!-~]{1,2000}$/;
const UNPRINTABLE = /[\p{C}\u2028\u2029]/u;

/**
 * Refuses what no certificate of ours may say, before anybody is asked for it.
 * @throws KeyturnError `invalid_input`: which part, and what it may be.
 */
export function checkIdentity(identity: RequestedIdentity): void {
  const { subject, dns, uris } = identity;
  if (subject.length === 0) throw refused('it has no subject', 'Name at least a common name (CN).');
  if (subject.length + dns.length + uris.length > MAX_NAMES) {
    throw refused(`it has more than ${MAX_NAMES} names`, 'Leave out what the partner does not look at.');
  }
  for (const { type, value } of subject) checkPart(type, value);
  if (subject.filter(({ type }) => type === 'CN').length > 1) throw refused('it has two common names', 'Give one.');
  if (!dns.every((name) => DNS_NAME.test(name))) {
    throw refused('a DNS name is not one', 'Give whole names in lower case, without wildcard.');
  }
  if (!uris.every((uri) => URI.test(uri) && URL.canParse(uri))) {
    throw refused('a URI is not one', 'Give it whole, such as spiffe://example.org/payments.');
  }
}

function checkPart(type: SubjectType, value: string): void {
  const longest = LONGEST[type];
  if (value.length === 0 || value.length > longest || UNPRINTABLE.test(value) || value !== value.trim()) {
    throw refused(`its ${type} is not 1 to ${longest} printable characters`, 'Shorten it.');
  }
  if (type === 'C' && !/^[A-Z]{2}$/.test(value)) throw refused('its C is no country', 'Give two letters, such as AE.');
}

/** The subject in the form of {@link distinguishedName}, to compare with what a certificate says. */
export function subjectOf({ subject }: Pick<RequestedIdentity, 'subject'>): string {
  return distinguishedName(nameOf(subject).toJSON());
}

export function nameOf(subject: RequestedIdentity['subject']): typed.Name {
  return new typed.Name(subject.map(({ type, value }) => ({ [type]: [value] })));
}

/** The extension subjectAltName; null when there are no names for it. */
export function alternativeNames({
  dns,
  uris,
}: Pick<RequestedIdentity, 'dns' | 'uris'>): typed.SubjectAlternativeNameExtension | null {
  if (dns.length + uris.length === 0) return null;
  const names = [
    ...dns.map((value) => ({ type: 'dns', value }) as const),
    ...uris.map((value) => ({ type: 'url', value }) as const),
  ];
  return new typed.SubjectAlternativeNameExtension(names);
}

function refused(found: string, fix: string): KeyturnError {
  return new KeyturnError('invalid_input', `The certificate can't be asked for so: ${found}.`, { fix });
}
