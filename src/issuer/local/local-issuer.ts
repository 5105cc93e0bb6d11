import type { IssuedRow } from '../../ledger/tables.ts';
import { type ReadRequest, readRequest } from '../../x509/request/read-request.ts';
import { certificatesIn } from '../certificates.ts';
import type { FoundCertificate, IssueRequest, IssuerDriver, IssuerHealth, Publishing } from '../driver.ts';
import { issuerRefused } from '../failure.ts';
import { openAuthority, storeOfAuthority, theAuthority } from './authority.ts';
import { type LocalIssuerOptions, localSettings } from './options.ts';
import { enter, enterRevocation, issuedFor, revocationList } from './register.ts';
import { signClient } from './sign.ts';

/**
 * A certificate authority of our own, for development and mTLS within a company. Its key rests in a key store, is made
 * when it is first needed, and is in memory for the time of a signature. What it issued and revoked stands in the
 * ledger before anybody sees it; so nothing it does is ever in doubt, and every revocation is on the list when it counts.
 */
export function openLocalIssuer(options: LocalIssuerOptions): IssuerDriver & Publishing {
  const { home } = options;
  const settings = localSettings(options);
  const { name } = settings;
  return {
    description: `local ${name}`,
    can: {
      keyMadeBy: ['keyturn'],
      answers: 'at-once',
      finds: true,
      sameAnswerSeconds: Number.POSITIVE_INFINITY,
      revokes: 'interface',
      keepsReason: true,
      publishesRevocations: true,
    },

    async issue(asked) {
      const request = await judged(asked);
      const authority = await theAuthority(home, settings);
      const before = await issuedBefore(asked, request);
      if (before !== null) return { kind: 'issued', certificate: before, chain: authority.certificate };
      const now = home.clock.now();
      const seconds = Math.min(asked.lifetimeSeconds ?? settings.maximumSeconds, settings.maximumSeconds);
      const signing = await openAuthority(home, authority);
      const certificate = await signClient(signing, request, { now, seconds, listUrl: settings.listUrl });
      const row = rowOf(certificate, asked, authority.generation, now);
      // Whoever was first with this key has the answer.
      const standing = (await enter(home, row)) ? certificate : await issuedBefore(asked, request);
      return { kind: 'issued', certificate: standing ?? certificate, chain: authority.certificate };
    },

    async find(spki): Promise<FoundCertificate[]> {
      const rows = await issuedFor(home, name, spki);
      if (rows.length === 0) return [];
      const { certificate: chain } = await theAuthority(home, settings);
      return rows.flatMap(({ certificate, revoked_at }) =>
        certificatesIn(certificate).map((each) => ({ certificate: each, chain, revoked: revoked_at !== null })),
      );
    },

    async revoke({ certificate, reason }) {
      const [found] = certificatesIn(certificate);
      const serial = found?.serial ?? '';
      const kept = await enterRevocation(home, settings, serial, reason);
      return { kind: 'revoked', reasonKept: kept === reason };
    },

    async health(): Promise<IssuerHealth> {
      const store = await storeOfAuthority(home, name);
      const { ready, detail } = (await store?.health()) ?? { ready: false, detail: 'its store is not configured' };
      return ready ? { ready, detail: '' } : { ready, detail: `Its key can't be read: ${detail}` };
    },

    async authority() {
      return (await theAuthority(home, settings)).certificate;
    },

    async revocationList() {
      await theAuthority(home, settings);
      return revocationList(home, settings);
    },

    async close() {},
  };

  /** The certificate of the same issuance; a key that has another, or a revoked one, gets none. */
  async function issuedBefore(asked: IssueRequest, { spki }: ReadRequest): Promise<string | null> {
    const [row] = await issuedFor(home, name, spki);
    if (row === undefined) return null;
    if (row.issuance === asked.id && row.revoked_at === null) return row.certificate;
    throw issuerRefused(`The authority ${name} has issued a certificate for this key before.`, 'Make a new key.', {
      serial: row.serial,
    });
  }

  function rowOf(certificate: string, { id, credential }: IssueRequest, generation: number, now: number): IssuedRow {
    const [read] = certificatesIn(certificate);
    const { serial = '', spki = '', notAfter = 0 } = read ?? {};
    return {
      issuer: name,
      serial,
      generation,
      spki,
      credential,
      issuance: id,
      certificate,
      not_after: notAfter,
      issued_at: now,
      revoked_at: null,
      reason: null,
    };
  }
}

/** Names of other kinds than ours are not signed, whoever asks. */
async function judged({ request }: IssueRequest): Promise<ReadRequest> {
  if (request === null) throw issuerRefused('The authority makes no keys.', 'Send it a request.');
  const read = await readRequest(request.der);
  const foreign = read.names.find((name) => !name.startsWith('dns:') && !name.startsWith('url:'));
  if (foreign === undefined) return read;
  throw issuerRefused('The request has a name that is neither DNS nor URI.', 'Ask for DNS names and URIs alone.');
}
