import { isIP } from 'node:net';
import { KeyturnError } from '../core/errors.ts';

/** RFC 1123 section 2.1 labels, lower case, no wildcard, no trailing dot. */
const DNS_NAME = /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/;

export interface AlternativeName {
  readonly type: 'dns' | 'ip';
  readonly value: string;
}

/**
 * Sorts the names of a listener into DNS names (lower-cased) and IP addresses, each once.
 * @throws KeyturnError `invalid_input` when there is none, or one is neither.
 */
export function subjectAlternativeNames(names: readonly string[]): AlternativeName[] {
  if (names.length === 0) {
    throw new KeyturnError('invalid_input', 'A server certificate needs at least one name.', {
      fix: 'Give the DNS name or IP address by which clients call this server.',
    });
  }
  return [...new Set(names.map((name) => name.toLowerCase()))].map(alternativeName);
}

function alternativeName(value: string): AlternativeName {
  if (isIP(value) !== 0) return { type: 'ip', value };
  // A last label of digits would be an address to a resolver (WHATWG URL section 3.5), not a name.
  if (DNS_NAME.test(value) && !/(?:^|\.)[0-9]+$/.test(value)) return { type: 'dns', value };
  throw new KeyturnError('invalid_input', `"${value.slice(0, 80)}" is neither a DNS name nor an IP address.`, {
    fix: 'Give names such as keyturn.internal or 10.0.0.7, without scheme, port or wildcard.',
  });
}
