import { KeyturnError } from '../../core/errors.ts';
import { environmentOfChain } from '../../partner/profile.ts';
import type { Certificate } from '../../x509/certificate.ts';
import { readUpload, type Upload } from '../../x509/upload.ts';
import type { Desk } from '../desk.ts';

/**
 * The issuer certificates that an upload is judged against: the profile's own file where it has one; else the chain
 * that came with the upload, which must be rooted where the profile or the credential's earlier versions say; else the
 * chain of the newest earlier version. Null when there is none at all.
 * @throws KeyturnError `chain_untrusted` if an uploaded chain ends in another root than before and nobody accepted that.
 */
export async function issuerChainFor(
  desk: Desk,
  credential: string,
  upload: Upload,
  acceptNewChain: boolean,
): Promise<readonly Certificate[] | null> {
  const [partner = '', environment = ''] = credential.split('/');
  const { issuerChain } = desk.profiles().environment(partner, environment);
  if (issuerChain.source === 'file') return issuerChain.certificates;
  const uploaded = upload.certificates.filter((certificate) => certificate.isCa);
  const earlier = await chainOfNewest(desk, credential);
  if (uploaded.length === 0) return earlier;
  refuseForeignRoot(uploaded, issuerChain.sha256 ?? null);
  if (earlier !== null && !acceptNewChain) refuseNewRoot(uploaded, earlier);
  return uploaded;
}

async function chainOfNewest(desk: Desk, credential: string): Promise<readonly Certificate[] | null> {
  const rows = await desk.ledger.find('versions', { credential }, { orderBy: 'version', descending: true });
  const row = rows.find(({ state, chain }) => chain !== '' && state !== 'abandoned' && state !== 'quarantined');
  if (row === undefined) return null;
  return (await readUpload([{ name: 'chain', bytes: Buffer.from(row.chain) }])).certificates;
}

function refuseForeignRoot(uploaded: readonly Certificate[], allowed: readonly string[] | null): void {
  if (allowed === null || uploaded.some(({ fingerprint }) => allowed.includes(fingerprint))) return;
  throw new KeyturnError(
    'chain_untrusted',
    'The uploaded chain holds none of the roots that the partner profile lists.',
    {
      fix: 'Download the chain again from the partner; if its CA has changed, have the profile’s sha256 list corrected first.',
      facts: { found: uploaded.map(({ fingerprint }) => fingerprint).join(' ') },
    },
  );
}

function refuseNewRoot(uploaded: readonly Certificate[], earlier: readonly Certificate[]): void {
  const known = new Set(earlier.map(({ fingerprint }) => fingerprint));
  if (uploaded.some(({ fingerprint }) => known.has(fingerprint))) return;
  throw new KeyturnError(
    'chain_untrusted',
    'The uploaded chain shares no certificate with the one of earlier versions.',
    {
      fix: 'Make sure that the partner has really changed its CA, then import again with --accept-new-chain.',
      facts: { found: uploaded.map(({ fingerprint }) => fingerprint).join(' ') },
    },
  );
}

/**
 * Sandbox or production? Told by the chain where the profile knows it, else a person must have said so.
 * @throws KeyturnError `environment_mismatch`, `environment_required`.
 */
export function confirmEnvironment(
  desk: Desk,
  credential: string,
  chain: readonly Certificate[],
  confirmed: string | undefined,
): void {
  const [partner = '', environment = ''] = credential.split('/');
  const told = environmentOfChain(desk.profiles(), partner, chain);
  if (told !== null && told !== environment) {
    throw new KeyturnError('environment_mismatch', `This chain belongs to ${partner}/${told}, not to ${credential}.`, {
      fix: `Import it as ${partner}/${told}, or download the certificate of ${environment}.`,
    });
  }
  if (confirmed !== undefined && confirmed !== environment) {
    throw new KeyturnError('environment_mismatch', `You confirmed ${confirmed}, but the credential is ${credential}.`, {
      fix: 'Name the credential of the environment that the files were downloaded for.',
    });
  }
  if (told === null && confirmed === undefined) {
    throw new KeyturnError('environment_required', `Nothing in this chain tells whether it is for ${environment}.`, {
      fix: `Look at the partner’s portal; if it is for ${environment}, import again with --environment ${environment}.`,
    });
  }
}
