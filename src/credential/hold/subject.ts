import { isIP, SocketAddress } from 'node:net';
import { credentialName } from '../../access/credential-name.ts';
import { principalOf } from '../../access/principal.ts';
import { KeyturnError } from '../../core/errors.ts';
import type { HoldTarget } from '../../ledger/tables.ts';
import { versionSubject } from './hold-switch.ts';

/** What somebody asks to have frozen, in their spelling. */
export interface FreezeTarget {
  readonly target: HoldTarget;
  /** Credential name, principal id, IP address or store; for `version` the credential, with `version` beside it. */
  readonly subject: string;
  readonly version?: number;
}

/**
 * The subject as holds and releases spell it. A freeze in another spelling would hold nothing and say nothing, so
 * what is not canonical is made so (addresses) or refused.
 * @throws KeyturnError `invalid_input`.
 */
export function holdSubject({ target, subject, version }: FreezeTarget, stores: Iterable<string>): string {
  switch (target) {
    case 'version':
      return versionSubject(credentialName(subject), numberOf(version));
    case 'credential':
      return credentialName(subject);
    case 'principal':
      return principalOf(subject).id;
    case 'host':
      return addressOf(subject);
    case 'store':
      return storeOf(subject, [...stores]);
  }
}

/**
 * The one spelling of a client's address: IPv4 dotted, also where a dual-stack socket shows it as `::ffff:a.b.c.d`
 * (RFC 4291 section 2.5.5.2), else IPv6 as RFC 5952 has it. Anything that is no address is given back as it is.
 */
export function canonicalHost(address: string): string {
  if (isIP(address) !== 6) return address;
  const canonical = new SocketAddress({ address, family: 'ipv6' }).address;
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(canonical)?.[1] ?? canonical;
}

function addressOf(subject: string): string {
  if (isIP(subject) !== 0) return canonicalHost(subject);
  throw new KeyturnError('invalid_input', 'A host is frozen by its IP address.', {
    fix: 'Give the address that the audit entries show under host.',
  });
}

function numberOf(version: number | undefined): number {
  if (version !== undefined) return version;
  throw new KeyturnError('invalid_input', 'A freeze of a version needs its number.', {
    fix: 'Give the version, or freeze the whole credential.',
  });
}

function storeOf(subject: string, stores: readonly string[]): string {
  if (stores.includes(subject)) return subject;
  throw new KeyturnError('invalid_input', 'This server has no key store of that name.', {
    fix: `Its stores: ${stores.join(', ')}.`,
  });
}
