import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadConfig } from '../../../src/compose/config.ts';
import { cannotAsk } from '../../../src/compose/master-key.ts';
import { type Instance, openInstance } from '../../../src/compose/open.ts';
import { verifyStore } from '../../../src/compose/upkeep/verify-store.ts';
import type { VersionRow } from '../../../src/ledger/tables.ts';
import { spkiOfPkcs8 } from '../../../src/x509/private-key.ts';
import { readLog, verifyWhole } from '../kill/examine.ts';
import { logFaults, type Recorded } from './log-faults.ts';
import type { IssuedElsewhere } from './scene/pki-engine.ts';

const ALL = { limit: 1_000_000 } as const;
/** An import that was interrupted before its key was written leaves a number behind, and nothing else. */
const TAKEN = { state: { not: 'abandoned' } } as const;

/** What others know. */
export interface Outside {
  /** All certificates that the partner has handed out. */
  readonly handedOut: readonly IssuedElsewhere[];
  /** What an issuer elsewhere says that it has issued. */
  readonly issuedElsewhere: readonly IssuedElsewhere[];
  /** Verifies the whole log and the whole store as well, which takes its time. */
  readonly whole: boolean;
}

/** Everything that is wrong with a stopped instance of which no rotation is open, a sentence each. */
export async function examineRotations(home: string, outside: Outside): Promise<string[]> {
  const config = await loadConfig(home);
  const instance = await openInstance(config, { ask: cannotAsk });
  const faults: string[] = [];
  try {
    faults.push(...(await examineInstance(instance, outside)));
    if (outside.whole) faults.push(...(await wholeFaults(instance)));
  } finally {
    await instance.close();
  }
  if (outside.whole)
    await verifyStore(config, cannotAsk).catch((error: Error) => faults.push(`store verify: ${error.message}`));
  return faults;
}

/** Rows, records, log and what others know, held against each other. */
export async function examineInstance(instance: Instance, outside: Outside): Promise<string[]> {
  const log = await readLog(instance.desk.ledger);
  return [
    ...(await rowFaults(instance)),
    ...(await certificateFaults(instance, outside)),
    ...(await keyFaults(instance)),
    ...logFaults(log.map((json) => JSON.parse(json) as Recorded)),
  ];
}

/** The log as such, against the checkpoint that stands outside. */
export async function wholeFaults(instance: Instance): Promise<string[]> {
  const checkpoint = await readFile(join(instance.config.home, 'checkpoint', 'checkpoint'), 'utf8');
  const log = await readLog(instance.desk.ledger);
  return verifyWhole(instance, log, { acknowledged: [], entries: log, checkpoints: [checkpoint] });
}

/** One version is current; what was replaced or given up is gone; nothing waits for anybody. */
async function rowFaults({ desk: { ledger } }: Instance): Promise<string[]> {
  const versions = await ledger.find('versions', TAKEN, ALL);
  const rotations = await ledger.find('rotations', {}, ALL);
  const current = versions.filter(({ state }) => state === 'current');
  const stateOf = (number: number | null) => versions.find(({ version }) => version === number)?.state ?? null;
  return [
    ...(current.length === 1 ? [] : [`${current.length} versions are current`]),
    ...versions
      .filter(({ state }) => !['current', 'retired', 'destroyed'].includes(state))
      .map(({ version, state }) => `version ${version} is still ${state}`),
    ...rotations.filter(({ ended_at }) => ended_at === null).map(({ id }) => `${id} is open`),
    ...rotations
      .filter(({ state, replaces }) => state === 'completed' && replaces !== null && stateOf(replaces) !== 'destroyed')
      .map(({ id, replaces }) => `${id} has completed, and version ${replaces} is ${stateOf(replaces)}`),
    ...rotations
      .filter(({ state, version }) => state !== 'completed' && stateOf(version) === 'current')
      .map(({ id, state, version }) => `${id} was ${state}, and its version ${version} is current`),
    ...(await ledger.find('tasks', { state: 'open' }, ALL)).map(({ id, kind }) => `${id} (${kind}) is open at the end`),
  ];
}

/** Whatever was issued is a version, or revoked; what we asked for is asked for once; what was given up is revoked. */
async function certificateFaults(
  { desk: { ledger } }: Instance,
  { handedOut, issuedElsewhere }: Outside,
): Promise<string[]> {
  const versions = new Map((await ledger.find('versions', TAKEN, ALL)).map((row) => [row.serial, row]));
  const issued = await ledger.find('issued', {}, ALL);
  const perIssuance = Map.groupBy(issued, ({ issuance }) => issuance);
  const mayLive = (row: VersionRow | undefined) => row?.state === 'current';
  return [
    ...[...issuedElsewhere, ...handedOut]
      .filter(({ serial, revoked }) => revoked === mayLive(versions.get(serial)))
      .map(
        ({ serial, revoked }) =>
          `the certificate ${serial} is ${revoked ? 'current and' : 'of no use and not'} revoked`,
      ),
    ...handedOut
      .filter(({ serial }) => !versions.has(serial))
      .map(({ serial }) => `nobody knows the certificate ${serial}`),
    ...issued
      .filter(({ serial, revoked_at }) => revoked_at === null && !mayLive(versions.get(serial)))
      .map(({ serial }) => `the certificate ${serial} is of no use, and not revoked`),
    ...issued
      .filter(({ serial, revoked_at }) => revoked_at !== null && mayLive(versions.get(serial)))
      .map(({ serial }) => `the current certificate ${serial} is revoked`),
    ...[...perIssuance]
      .filter(([, rows]) => rows.length > 1)
      .map(([issuance, rows]) => `${issuance} was asked for ${rows.length} times`),
  ];
}

/** Each store holds the key of each version that is not destroyed, the authority's, and no other. */
async function keyFaults({ desk, store: own }: Instance): Promise<string[]> {
  const versions = await desk.ledger.find('versions', TAKEN, ALL);
  const companions = await desk.ledger.find('companions', {}, ALL);
  const authorities = await desk.ledger.find('authorities', {}, ALL);
  const faults: string[] = [];
  for (const [name, store] of desk.stores) {
    const alive = versions.filter((row) => row.store === name && row.state !== 'destroyed');
    const owned = [...alive, ...companions, ...authorities].filter((row) => row.store === name);
    const records = new Set((await store.list()).filter((record) => !record.startsWith('system/')));
    faults.push(
      ...[...records]
        .filter((record) => !owned.some((row) => row.record === record))
        .map((record) => `${record} in ${name} is an orphan`),
      ...owned.filter(({ record }) => !records.has(record)).map(({ record }) => `${record} is not in ${name}`),
    );
    for (const { version, record, spki } of alive) {
      using octets = await store.tryRead(record);
      if (octets !== null && spkiOfPkcs8(octets) !== spki) faults.push(`version ${version} has a key that is another`);
    }
  }
  const [known] = await desk.ledger.find('stores', { store: own.name });
  return known?.digest === (await own.attest())?.digest ? faults : [...faults, 'the ledger does not know the store'];
}
