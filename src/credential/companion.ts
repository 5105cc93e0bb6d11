import { credentialName, partsOf } from '../access/credential-name.ts';
import { KeyturnError } from '../core/errors.ts';
import type { SecretBytes } from '../core/secret-bytes.ts';
import type { KeyStore } from '../keystore/keystore.ts';
import { companionRecord } from '../keystore/record-name.ts';
import type { CompanionRow } from '../ledger/tables.ts';
import { type Authority, authorise, denial } from './authorise.ts';
import type { Caller } from './caller.ts';
import type { Desk } from './desk.ts';
import { storesNotHeld } from './hold/checks.ts';
import { refused } from './refusal.ts';
import { inTurn } from './store/in-turn.ts';
import { namedStore } from './store/named-store.ts';
import { credentialPlace, storePlace } from './store/store-queue.ts';
import { attested } from './version/settle.ts';

/** Longest companion secret, octets: room for any token, short of a file. */
const LONGEST = 8_192;
const NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/;

export interface CompanionSet {
  readonly credential: string;
  readonly name: string;
  readonly generation: number;
  readonly entry: number;
  readonly warnings: readonly { readonly code: 'companion-not-listed'; readonly message: string }[];
}

/**
 * Sets a companion secret (an app token) of a credential: it travels with every lease, under the same permissions and
 * entries. A new value takes the old one's place at the clients' next renewal. It goes to the store that is named, else
 * to the default one.
 * @throws KeyturnError `invalid_input`, `not_found` (no such credential), `permission_denied`.
 */
export async function setCompanion(
  desk: Desk,
  caller: Caller,
  target: { readonly credential: string; readonly name: string; readonly store?: string },
  secret: SecretBytes,
): Promise<CompanionSet> {
  const credential = credentialName(target.credential);
  const authority = await authorise(desk, caller, 'companion:write', credential);
  refuseUnfit(target.name, secret);
  const store = namedStore(desk, target.store);
  return inTurn(desk, [storePlace(store.name), credentialPlace(credential)], async (own) => {
    const row = await pendingRow(own, { credential, name: target.name, store: store.name, length: secret.length });
    await recordIntent(own, caller, authority, row);
    await store.write(row.record, secret);
    const entry = await finishCompanion(own, caller.principal.id, row, caller.request);
    return { credential, name: row.name, generation: row.generation, entry, warnings: unlisted(own, row) };
  });
}

/** A name that nobody reads is mostly one that was mistyped; the profile may as well be what is behind. */
function unlisted(desk: Desk, { credential, name }: CompanionRow): CompanionSet['warnings'] {
  const { partner, environment } = partsOf(credential);
  // A profile that was taken away since says nothing.
  const companions = desk.profiles().find(partner, environment)?.companions;
  if (companions === undefined || companions.includes(name)) return [];
  const listed = companions.length === 0 ? 'none' : companions.join(', ');
  const message = `The profile of ${credential} does not list the companion ${name} (it lists ${listed}). It travels with every lease all the same.`;
  return [{ code: 'companion-not-listed', message }];
}

async function recordIntent(desk: Desk, caller: Caller, authority: Authority, row: CompanionRow): Promise<void> {
  const { credential } = row;
  const intent = await desk.ledger.commit({
    checks: [
      ...authority.checks,
      { rule: 'credential-known', table: 'credentials', some: { name: credential } },
      ...storesNotHeld(row.store),
    ],
    writes: [{ insert: 'companions', row }],
    entry: {
      kind: 'companion.set-intended',
      actor: caller.principal.id,
      request: caller.request,
      credential,
      data: { name: row.name, generation: row.generation, store: row.store, record: row.record },
    },
    refusal: denial(caller, 'companion:write', credential, 'at-commit', { name: row.name }),
  });
  if (intent.committed) return;
  if (intent.rule !== 'credential-known') throw refused(intent.rule);
  throw new KeyturnError('not_found', `There is no credential ${credential} yet.`, {
    fix: `Import its certificate first: keyturn import ${credential} --zip FILE --chain FILE`,
  });
}

/** @throws KeyturnError `invalid_input` for a name or a length that no companion has. */
export function refuseUnfit(name: string, secret: SecretBytes): void {
  if (!NAME.test(name)) {
    throw new KeyturnError('invalid_input', 'That is not a companion name.', {
      fix: 'Use lower-case letters, digits, dot, dash and underscore, e.g. lean-app-token.',
    });
  }
  if (secret.length === 0 || secret.length > LONGEST) {
    throw new KeyturnError(
      'invalid_input',
      `A companion secret has 1 to ${LONGEST} octets; this one has ${secret.length}.`,
      {
        fix: 'Check the file or what was typed.',
      },
    );
  }
}

async function pendingRow(
  desk: Desk,
  { credential, name, store, length }: Pick<CompanionRow, 'credential' | 'name' | 'store' | 'length'>,
): Promise<CompanionRow> {
  const [newest] = await desk.ledger.find(
    'companions',
    { credential, name },
    { orderBy: 'generation', descending: true, limit: 1 },
  );
  const generation = (newest?.generation ?? 0) + 1;
  return {
    credential,
    name,
    generation,
    state: 'pending',
    store,
    record: companionRecord(credential, name, generation),
    length,
    created_at: desk.clock.now(),
  };
}

async function finishCompanion(desk: Desk, actor: string, row: CompanionRow, request?: string): Promise<number> {
  const { credential, name, generation } = row;
  const outcome = await desk.ledger.commit({
    checks: [
      { rule: 'companion-pending', table: 'companions', some: { credential, name, generation, state: 'pending' } },
    ],
    writes: [
      { update: 'companions', where: { credential, name, state: 'current' }, set: { state: 'superseded' } },
      {
        update: 'companions',
        where: { credential, name, generation },
        set: { state: 'current', created_at: desk.clock.now() },
        rows: 1,
      },
      ...(await attested(desk, row.store)),
    ],
    entry: {
      kind: 'companion.set',
      actor,
      ...(request === undefined ? {} : { request }),
      credential,
      data: { name, generation, store: row.store, record: row.record },
    },
  });
  if (!outcome.committed) throw refused(outcome.rule);
  desk.keys.clear();
  return outcome.index;
}

/**
 * Settles companions whose write was interrupted. Their value has no fingerprint to compare, so one that is in the
 * store was written whole (a store's writes are atomic) and counts; one that is absent is abandoned. A store that
 * doesn't answer leaves its companions pending.
 */
export async function settleCompanions(desk: Desk): Promise<void> {
  for (const store of desk.stores.values()) {
    await inTurn(desk, [storePlace(store.name)], async (own) => {
      const where = { state: 'pending', store: store.name } as const;
      for (const row of await own.ledger.find('companions', where, { orderBy: 'generation' })) {
        await settleOne(own, store, row);
      }
    });
  }
}

async function settleOne(desk: Desk, store: KeyStore, row: CompanionRow): Promise<void> {
  const landed = await look(store, row);
  if (landed === 'unknown') return;
  if (landed === 'absent') await setAside(desk, row, 'abandoned');
  else if (await isOvertaken(desk, row)) await setAside(desk, row, 'superseded');
  else await finishCompanion(desk, 'system', row);
}

async function look(store: KeyStore, row: CompanionRow): Promise<'there' | 'absent' | 'unknown'> {
  try {
    using found = await store.tryRead(row.record);
    return found === null ? 'absent' : 'there';
  } catch {
    return 'unknown';
  }
}

/** A newer value was set meanwhile; this one must not come back over it. */
async function isOvertaken(desk: Desk, { credential, name, generation }: CompanionRow): Promise<boolean> {
  const newer = { credential, name, generation: { gt: generation }, state: { in: ['current', 'superseded'] } };
  const found = await desk.ledger.find('companions', newer, { limit: 1 });
  return found.length > 0;
}

async function setAside(desk: Desk, row: CompanionRow, state: 'abandoned' | 'superseded'): Promise<void> {
  const { credential, name, generation } = row;
  await desk.ledger.commit({
    checks: [
      { rule: 'companion-pending', table: 'companions', some: { credential, name, generation, state: 'pending' } },
    ],
    writes: [
      { update: 'companions', where: { credential, name, generation }, set: { state }, rows: 1 },
      ...(state === 'superseded' ? await attested(desk, row.store) : []),
    ],
    entry: { kind: `companion.${state}`, actor: 'system', credential, data: { name, generation } },
  });
}
