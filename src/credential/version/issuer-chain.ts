import { partsOf } from '../../access/credential-name.ts';
import { KeyturnError } from '../../core/errors.ts';
import { environmentOfChain } from '../../partner/profile.ts';
import type { Certificate } from '../../x509/certificate.ts';
import { readUpload, type Upload } from '../../x509/upload.ts';
import type { Desk } from '../desk.ts';

/**
 * The issuer certificates that are trusted to end an upload's chain: the profile's own file where it has one; else the
 * roots that the profile pins by fingerprint; else the chain of the credential's earlier versions; else, for the first
 * import (or when a person accepted a new chain), what came with the upload. Null when there is none at all. Whatever
 * else came with the upload can only stand between the leaf and one of these.
 * @throws KeyturnError `chain_untrusted` if the upload holds no pinned root, or nothing of the chain so far.
 */
export async function issuerChainFor(
  desk: Desk,
  credential: string,
  upload: Upload,
  acceptNewChain: boolean,
): Promise<readonly Certificate[] | null> {
  const { partner, environment } = partsOf(credential);
  const { issuerChain } = desk.profiles().environment(partner, environment);
  if (issuerChain.source === 'file') return issuerChain.certificates;
  const uploaded = upload.certificates.filter((certificate) => certificate.isCa);
  const earlier = await chainOfNewest(desk, credential);
  if (issuerChain.sha256 !== null) return pinnedAmong([...uploaded, ...(earlier ?? [])], issuerChain.sha256);
  if (earlier === null || acceptNewChain) return uploaded.length === 0 ? earlier : uploaded;
  if (uploaded.length > 0) refuseNewRoot(uploaded, earlier);
  return earlier;
}

/** As far as it is known before anything comes: from the profile's file, else from the credential's earlier versions. */
export async function issuerChainOf(desk: Desk, credential: string): Promise<readonly Certificate[] | null> {
  const { partner, environment } = partsOf(credential);
  const { issuerChain } = desk.profiles().environment(partner, environment);
  if (issuerChain.source === 'file') return issuerChain.certificates;
  const earlier = await chainOfNewest(desk, credential);
  return issuerChain.sha256 === null || earlier === null ? earlier : pinnedAmong(earlier, issuerChain.sha256);
}

async function chainOfNewest(desk: Desk, credential: string): Promise<readonly Certificate[] | null> {
  const rows = await desk.ledger.find('versions', { credential }, { orderBy: 'version', descending: true });
  const row = rows.find(({ state, chain }) => chain !== '' && state !== 'abandoned' && state !== 'quarantined');
  if (row === undefined) return null;
  return (await readUpload([{ name: 'chain', bytes: Buffer.from(row.chain) }])).certificates;
}

function pinnedAmong(known: readonly Certificate[], allowed: readonly string[]): readonly Certificate[] | null {
  const pinned = known.filter(({ fingerprint }) => allowed.includes(fingerprint));
  if (pinned.length > 0 || known.length === 0) return pinned.length > 0 ? pinned : null;
  throw new KeyturnError(
    'chain_untrusted',
    'The uploaded chain holds none of the roots that the partner profile lists.',
    {
      fix: 'Download the chain again from the partner; if its CA has changed, have the profile’s sha256 list corrected first.',
      facts: { found: known.map(({ fingerprint }) => fingerprint).join(' ') },
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
      fix: 'Make sure that the partner has really changed its CA, then give --accept-new-chain as well.',
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
  const { partner, environment } = partsOf(credential);
  const told = environmentOfChain(desk.profiles(), partner, chain);
  if (told !== null && told !== environment) {
    throw new KeyturnError('environment_mismatch', `This chain belongs to ${partner}/${told}, not to ${credential}.`, {
      fix: `Import it as ${partner}/${told}, or download the certificate of ${environment}.`,
    });
  }
  if (confirmed !== undefined && confirmed !== environment) {
    // What was confirmed is not quoted: in the wrong field it may be a key.
    throw new KeyturnError('environment_mismatch', `You confirmed another environment than that of ${credential}.`, {
      fix: 'Name the credential of the environment that the files were downloaded for.',
    });
  }
  if (told === null && confirmed === undefined) {
    throw new KeyturnError('environment_required', `Nothing in this chain tells whether it is for ${environment}.`, {
      fix: `Look at the partner’s portal; if it is for ${environment}, give --environment ${environment} as well.`,
    });
  }
}
