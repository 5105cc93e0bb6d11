import { LogVerifier } from '../../../src/audit/checkpoint.ts';
import { exportLines } from '../../../src/audit/export.ts';
import { verifyExport } from '../../../src/audit/verify.ts';
import type { Instance } from '../../../src/compose/open.ts';
import type { Ledger } from '../../../src/ledger/ledger.ts';
import { spkiOfPkcs8 } from '../../../src/x509/private-key.ts';
import type { Acknowledged } from './caller.ts';

const ALL = { limit: 1_000_000 } as const;
const PAGE = 1_000;

/** What was seen of the log before a kill. */
export interface Memory {
  readonly acknowledged: readonly Acknowledged[];
  /** Entries as an earlier examination has read them, in order. */
  readonly entries: readonly string[];
  /** Checkpoints that stood outside, or came with a receipt. */
  readonly checkpoints: readonly string[];
}

interface Recorded {
  readonly kind: string;
  readonly version?: number;
  readonly data: Readonly<Record<string, unknown>>;
}

/** The log as it stands. */
export async function readLog(ledger: Ledger): Promise<string[]> {
  const { size } = await ledger.head();
  const log: string[] = [];
  for (let from = 0; from < size; from += PAGE) {
    for (const { json } of await ledger.entries({ from, to: Math.min(size, from + PAGE), limit: PAGE })) log.push(json);
  }
  return log;
}

/** Everything that is wrong with an instance that was killed and opened again, a sentence each. */
export async function examine(instance: Instance, log: readonly string[], memory: Memory): Promise<string[]> {
  return [
    ...lost(log, memory),
    ...(await leaseFaults(instance, log, memory)),
    ...(await versionFaults(instance, memory)),
    ...(await orphans(instance)),
    ...(await storeFaults(instance)),
  ];
}

function lost(log: readonly string[], { acknowledged, entries }: Memory): string[] {
  const changed = entries.findIndex((json, index) => log[index] !== json);
  return [
    ...(changed === -1 ? [] : [`entry ${changed} is not what it was before`]),
    ...acknowledged.flatMap((each) => {
      const json = log[each.entry];
      if (json === undefined) return [`the acknowledged ${each.kind} of entry ${each.entry} is lost`];
      return isItsEntry(each, json) ? [] : [`entry ${each.entry} is not that of the acknowledged ${each.kind}`];
    }),
  ];
}

function isItsEntry(each: Acknowledged, json: string): boolean {
  if (each.kind === 'lease') return json === each.json;
  const { kind, version, data } = JSON.parse(json) as Recorded;
  if (each.kind === 'companion') return kind === 'companion.set' && data['generation'] === each.generation;
  return kind === 'version.imported' && version === each.version && data['spki'] === each.spki;
}

/** No lease without its entry, no entry without its lease. */
async function leaseFaults({ desk }: Instance, log: readonly string[], { acknowledged }: Memory): Promise<string[]> {
  const rows = new Set((await desk.ledger.find('leases', {}, ALL)).map(({ id }) => id));
  const granted = new Set(
    log
      .map((json) => JSON.parse(json) as Recorded)
      .filter(({ kind }) => kind === 'lease.granted')
      .map(({ data }) => String(data['lease'])),
  );
  const released = acknowledged.flatMap((each) => (each.kind === 'lease' ? [each.lease] : []));
  return [
    ...[...rows].filter((id) => !granted.has(id)).map((id) => `${id} has no entry`),
    ...[...granted].filter((id) => !rows.has(id)).map((id) => `${id} has an entry and no row`),
    ...released.filter((id) => !rows.has(id)).map((id) => `${id} was released and has no row`),
  ];
}

async function versionFaults({ desk, store }: Instance, { acknowledged }: Memory): Promise<string[]> {
  const rows = await desk.ledger.find('versions', {}, ALL);
  const faults: string[] = [];
  for (const { version, state, record, spki } of rows) {
    using octets = await store.tryRead(record);
    const held = octets === null ? null : spkiOfPkcs8(octets);
    if (state === 'abandoned' ? held !== null : held !== spki) {
      faults.push(`version ${version} is ${state}; its key is ${held === null ? 'absent' : 'there'}`);
    }
    if (state === 'pending' || state === 'quarantined') faults.push(`version ${version} is ${state} after a start`);
  }
  const states = new Map(rows.map(({ version, state }) => [version, state]));
  for (const each of acknowledged) {
    if (each.kind !== 'import' || ['current', 'staged'].includes(states.get(each.version) ?? '')) continue;
    faults.push(`the acknowledged version ${each.version} is ${states.get(each.version) ?? 'gone'}`);
  }
  const current = rows.filter(({ state }) => state === 'current').length;
  return current <= 1 ? faults : [...faults, `${current} versions are current`];
}

/** Every record belongs to a row, and every companion that counts has its record. */
async function orphans({ desk, store }: Instance): Promise<string[]> {
  const versions = await desk.ledger.find('versions', {}, ALL);
  const companions = await desk.ledger.find('companions', {}, ALL);
  const owned = new Set(
    [...versions, ...companions].filter(({ state }) => state !== 'abandoned').map((row) => row.record),
  );
  const records = new Set(await store.list());
  return [
    ...[...records]
      .filter((name) => !owned.has(name) && !name.startsWith('system/'))
      .map((name) => `${name} is an orphan`),
    ...[...owned].filter((name) => !records.has(name)).map((name) => `${name} is not in the store`),
    ...companions.filter(({ state }) => state === 'pending').map(({ record }) => `${record} is pending after a start`),
  ];
}

async function storeFaults({ desk, store }: Instance): Promise<string[]> {
  const [known] = await desk.ledger.find('stores', { store: store.name });
  return known?.digest === (await store.attest())?.digest ? [] : ['the ledger does not know the store as it is'];
}

/** What an offline verification of the whole log finds, against every checkpoint that was seen outside. */
export async function verifyWhole(
  { desk, config, signer }: Instance,
  log: readonly string[],
  { checkpoints }: Memory,
): Promise<string[]> {
  const { ledger } = desk;
  const verifier = new LogVerifier({ origin: config.origin, keys: [signer.vkey] });
  const entries = allEntries(ledger, log.length);
  const lines = exportLines({ origin: config.origin, size: log.length, entries, checkpoints: allCheckpoints(ledger) });
  const report = await verifyExport(lines, verifier, { since: checkpoints });
  return report.intact ? [] : report.findings.map(({ kind, message }) => `${kind}: ${message}`);
}

async function* allEntries(ledger: Ledger, size: number) {
  for (let from = 0; from < size; from += PAGE) {
    yield* await ledger.entries({ from, to: Math.min(size, from + PAGE), limit: PAGE });
  }
}

async function* allCheckpoints(ledger: Ledger) {
  for (let after = -1; ; ) {
    const page = await ledger.checkpoints(after, PAGE);
    yield* page;
    const last = page.at(-1);
    if (last === undefined) return;
    after = last.size;
  }
}
