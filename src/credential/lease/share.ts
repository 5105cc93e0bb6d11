import { hash } from 'node:crypto';
import { KeyturnError } from '../../core/errors.ts';
import type { Check, Where } from '../../ledger/change.ts';
import { remembered } from '../../ledger/remembered.ts';
import type { VersionRow } from '../../ledger/tables.ts';
import type { Caller } from '../caller.ts';
import type { Desk } from '../desk.ts';
import { versionSubject } from '../hold/hold-switch.ts';
import type { LeaseWish } from './lease.ts';

/** The part of the clients that gets a staged version before all others, as a rotation keeps it among its facts. */
export interface Share {
  /** Part of the client processes, 0 to 1. */
  readonly of: number;
  /** Milliseconds since the epoch: when it began, and how long it is watched. */
  readonly since: number;
  readonly until: number;
  /** It is watched for longer, since nobody had reported a request with the staged version in time. */
  readonly unheard?: boolean;
  /** Longest lease of the credential meanwhile: what clients report comes with their renewals. */
  readonly leaseSeconds: number;
  /** Index of an entry before all that belong to it. */
  readonly from: number;
  /** So many failures are too many, when they are so much more often than with the old version (a part of the requests). */
  readonly failures: number;
  readonly beyond: number;
}

/** A share that is lent from. */
export interface OpenShare {
  readonly rotation: string;
  /** The staged version that it gets. */
  readonly version: VersionRow;
  readonly terms: Share;
}

/** What a caller is lent. */
export interface Chosen {
  readonly version: VersionRow;
  /** Null where there is none just then; the version may be the current one all the same. */
  readonly share: OpenShare | null;
}

/**
 * The current version; or, while a rotation lets a share of the clients have its staged version first, that one for them.
 * Whoever keeps the key of its process keeps its side of the share. Nobody gets a version that is frozen.
 * @throws KeyturnError `no_current_version`.
 */
export async function chooseVersion(
  desk: Desk,
  caller: Caller,
  credential: string,
  { hpkePublicKey }: Pick<LeaseWish, 'hpkePublicKey'>,
): Promise<Chosen> {
  const rows = await desk.ledger.find('versions', lendable(credential));
  const current = rows.find(({ state }) => state === 'current') ?? (await currentBeyond(desk, rows));
  if (current === undefined) throw noCurrentVersion(credential);
  const staged = rows.filter(({ state }) => state === 'staged');
  // Mostly there is none, and nothing more is asked.
  const share = staged.length === 0 ? null : await openShare(desk, credential, staged);
  if (share === null) return { version: current, share };
  const chosen = isAmong(share, caller.principal.id, hpkePublicKey) && !(await isFrozen(desk, share.version));
  return { version: chosen ? share.version : current, share };
}

const lendable = remembered((credential: string): Where<'versions'> => {
  return { credential, state: { in: ['current', 'staged'] } };
});

/** Of more staged ones than are read at a time, some may have stood in its way. */
async function currentBeyond({ ledger }: Desk, [some]: readonly VersionRow[]): Promise<VersionRow | undefined> {
  if (some === undefined) return undefined;
  const [current] = await ledger.find('versions', { credential: some.credential, state: 'current' });
  return current;
}

async function openShare(desk: Desk, credential: string, staged: readonly VersionRow[]): Promise<OpenShare | null> {
  const [rotation] = await desk.ledger.find('rotations', { credential, ...SHARING });
  const version = staged.find((row) => row.version === rotation?.version);
  if (rotation === undefined || version === undefined) return null;
  // The ledger's own text. Absent until the step has begun.
  const { share } = JSON.parse(rotation.facts) as { readonly share?: Share };
  return share === undefined ? null : { rotation: rotation.id, version, terms: share };
}

/** Each rotation draws anew, so that it is not always the same ones who are first. */
function isAmong({ rotation, terms }: OpenShare, principal: string, process: Buffer): boolean {
  const digest = hash('sha256', `${rotation}\n${principal}\n${process.toString('hex')}`, 'buffer');
  return digest.readUInt32BE(0) / 2 ** 32 < terms.of;
}

async function isFrozen(desk: Desk, { credential, version }: VersionRow): Promise<boolean> {
  const held = { target: 'version', subject: versionSubject(credential, version), lifted_at: null } as const;
  return (await desk.ledger.find('holds', held, { limit: 1 })).length > 0;
}

/** The wished life, or what a share lets it be. */
export function wishedSeconds(desk: Desk, { ttlSeconds }: LeaseWish, share: OpenShare | null): number {
  const wished = ttlSeconds ?? desk.leaseLimits.defaultSeconds;
  return share === null ? wished : Math.min(wished, share.terms.leaseSeconds);
}

/** A lease is on the current version, or on a staged one within the share of a rotation that goes on; nothing else. */
export function lentChecks({ version: row, share }: Chosen): Check[] {
  const { credential, version, store } = row;
  if (row.state === 'current' || share === null) return [versionCurrent(credential, version, store)];
  return [versionShared(credential, version, store), rotationSharing(share.rotation, version)];
}

/** What the entry of a lease on a staged version says besides. */
export function shareFacts({ version, share }: Chosen): { readonly share?: string } {
  return version.state === 'staged' && share !== null ? { share: share.rotation } : {};
}

const SHARING = { ended_at: null, step: 'share', state: 'running' } as const;

// One object for equal checks, so that a batch asks once (see the ledger's port). A key that moves to another store
// meanwhile is read anew: a freeze of that store must count.
const versionCurrent = remembered((credential: string, version: number, store: string): Check => {
  return { rule: 'version-current', table: 'versions', some: { credential, version, state: 'current', store } };
});
const versionShared = remembered((credential: string, version: number, store: string): Check => {
  return { rule: 'version-shared', table: 'versions', some: { credential, version, state: 'staged', store } };
});
const rotationSharing = remembered((id: string, version: number): Check => {
  return { rule: 'rotation-sharing', table: 'rotations', some: { id, version, ...SHARING } };
});

function noCurrentVersion(credential: string): KeyturnError {
  return new KeyturnError('no_current_version', `${credential} has no current version.`, {
    fix: `Import one: keyturn import ${credential} --zip FILE --chain FILE`,
  });
}
