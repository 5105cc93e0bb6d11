import { KeyturnError } from '../../core/errors.ts';
import { textAt, textsAt } from '../../keystore/vault/client/answer.ts';
import { connectVault, type VaultLink } from '../../keystore/vault/connect.ts';
import { certificatesIn } from '../certificates.ts';
import type {
  DriverIssued,
  FoundCertificate,
  IssueRequest,
  IssuerDriver,
  IssuerHealth,
  Revoked,
  RevokeRequest,
} from '../driver.ts';
import { issuerRefused, issuerUnavailable } from '../failure.ts';
import { askPki } from './ask.ts';
import { type PkiPaths, pkiPaths, type VaultPkiOptions } from './options.ts';
import { faultsOfRole } from './role.ts';
import { PkiSearch } from './search.ts';

/** A signature takes longer than a record, above all where the authority's key is elsewhere. */
const TIMEOUT_MS = 10_000;
const FIND_LIMIT = 10_000;

/**
 * Opens without asking the server, which may be down just now.
 * @throws KeyturnError `config_invalid`.
 */
export async function openVaultPkiIssuer(options: VaultPkiOptions): Promise<VaultPkiIssuer> {
  const paths = pkiPaths(options);
  const link = connectVault({ timeoutMs: TIMEOUT_MS, ...options });
  return new VaultPkiIssuer(link, paths, options.findLimit ?? FIND_LIMIT);
}

/** A PKI engine of Vault or OpenBao signs our requests by one role. It drops the reason of a revocation. */
export class VaultPkiIssuer implements IssuerDriver {
  readonly can = {
    keyMadeBy: ['keyturn'],
    answers: 'at-once',
    finds: true,
    sameAnswerSeconds: 0,
    revokes: 'interface',
    keepsReason: false,
    publishesRevocations: true,
  } as const;
  readonly #link: VaultLink;
  readonly #paths: PkiPaths;
  readonly #search: PkiSearch;
  #closed = false;

  constructor(link: VaultLink, paths: PkiPaths, findLimit: number) {
    this.#link = link;
    this.#paths = paths;
    this.#search = new PkiSearch(link, paths, findLimit);
  }

  get description(): string {
    return `vault-pki ${this.#link.settings.address.value} ${this.#paths.sign.path}`;
  }

  /** The role is looked at first: what it would issue beyond the request would have to be revoked. */
  async issue({ request, lifetimeSeconds }: IssueRequest): Promise<DriverIssued> {
    this.#refuseClosed();
    if (request === null) throw issuerRefused('The PKI engine is asked for no key.', 'Send it a request.');
    await this.#refuseWrongRole();
    const ttl = lifetimeSeconds === null ? {} : { ttl: `${lifetimeSeconds}s` };
    const body = { csr: request.pem, exclude_cn_from_sans: true, ...ttl };
    const { data, refusal } = await askPki(this.#link, this.#paths.sign, { body });
    if (data === null) throw refused(this.#paths.sign.path, refusal);
    const certificate = textAt(data, 'certificate') ?? '';
    const chain = textsAt(data, 'ca_chain') ?? [textAt(data, 'issuing_ca') ?? ''];
    return { kind: 'issued', certificate, chain: chain.join('\n') };
  }

  find(spki: string): Promise<readonly FoundCertificate[] | null> {
    this.#refuseClosed();
    return this.#search.find(spki);
  }

  /** Asking again does no harm: the second time nothing changes. */
  async revoke({ certificate }: RevokeRequest): Promise<Revoked> {
    this.#refuseClosed();
    const [found] = certificatesIn(certificate);
    const serial_number = (found?.raw.serialNumber ?? '').toLowerCase().replace(/(..)(?=.)/g, '$1:');
    const { data } = await askPki(this.#link, this.#paths.revoke, { body: { serial_number }, repeatable: true });
    if (data !== null && 'revocation_time' in data) return { kind: 'revoked', reasonKept: false };
    if (data !== null) throw issuerUnavailable('Vault did not say that it has revoked it.', { certain: false });
    throw issuerRefused(
      `Vault has not issued the certificate ${found?.serial}, or has forgotten it.`,
      'Ask the issuer that the certificate names; a role with no_store=true forgets what it issues.',
      { serial: found?.serial ?? null },
    );
  }

  async health(): Promise<IssuerHealth> {
    try {
      this.#refuseClosed();
      await this.#refuseWrongRole();
      return { ready: true, detail: '' };
    } catch (error) {
      if (!(error instanceof KeyturnError)) return { ready: false, detail: 'Vault failed without saying why.' };
      return { ready: false, detail: error.fix === undefined ? error.message : `${error.message} ${error.fix}` };
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#link.close();
  }

  async #refuseWrongRole(): Promise<void> {
    const { path } = this.#paths.role;
    const { data } = await askPki(this.#link, this.#paths.role);
    if (data === null || Object.keys(data).length === 0) {
      throw issuerRefused(
        `Vault has no role at ${path}.`,
        `Make it, as docs/design/issuers.md shows: bao write ${path} …`,
      );
    }
    const faults = faultsOfRole(data);
    if (faults.length === 0) return;
    throw issuerRefused(
      `The role at ${path} would issue another certificate than is asked for: it lacks ${faults.join(', ')}.`,
      `Run: bao patch ${path} ${faults.join(' ')}`,
    );
  }

  #refuseClosed(): void {
    if (this.#closed) throw issuerUnavailable('The issuer is closed.', { certain: true, fix: 'Start Keyturn again.' });
  }
}

/** The engine's text is matched, not quoted: it repeats what it was sent. */
function refused(path: string, text: string): KeyturnError {
  const known = REFUSALS.find(({ matches }) => matches.test(text));
  const says = known?.says ?? 'The engine does not take the request';
  return issuerRefused(
    `${says} (${path}).`,
    known?.fix ?? 'Compare role and partner profile; the log of Vault says more.',
  );
}

const REFUSALS = [
  {
    matches: /not (?:allowed|valid) (?:by|in|for) this role/,
    says: 'The role does not allow a name of the request',
    fix: 'Allow it at the role (allowed_domains, allowed_uri_sans), or correct the partner profile.',
  },
  {
    matches: /role requires (?:keys of type|a minimum)|key bits/i,
    says: 'The role does not allow this kind of key',
    fix: 'Set key_type=any at the role, or another algorithm in the partner profile.',
  },
  {
    matches: /beyond the expiration of the CA/i,
    says: 'The authority ends before the certificate would',
    fix: 'Ask for a shorter life, or renew the authority in Vault.',
  },
] as const;
