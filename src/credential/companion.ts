import { credentialName } from '../access/credential-name.ts';
import { KeyturnError } from '../core/errors.ts';
import type { SecretBytes } from '../core/secret-bytes.ts';
import { companionRecord } from '../keystore/record-name.ts';
import type { CompanionRow } from '../ledger/tables.ts';
import { authorise } from './authorise.ts';
import type { Caller } from './caller.ts';
import type { Desk } from './desk.ts';
import { refused } from './refusal.ts';
import { attested } from './version/settle.ts';

/** Longest companion secret, octets: room for any token, short of a file. */
const LONGEST = 8_192;
const NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/;

export interface CompanionSet {
  readonly credential: string;
  readonly name: string;
  readonly generation: number;
  readonly entry: number;
}

/**
 * Sets a companion secret (an app token) of a credential: it travels with every lease, under the same permissions and
 * entries. A new value takes the old one's place at the clients' next renewal.
 * @throws KeyturnError `invalid_input`, `not_found` (no such credential), `permission_denied`.
 */
export async function setCompanion(
  desk: Desk,
  caller: Caller,
  target: { readonly credential: string; readonly name: string },
  secret: SecretBytes,
): Promise<CompanionSet> {
  const credential = credentialName(target.credential);
  const authority = await authorise(desk, caller, 'companion:write', credential);
  const row = await pendingRow(desk, credential, target.name, secret);
  const intent = await desk.ledger.commit({
    checks: [...authority.checks, { rule: 'credential-known', table: 'credentials', some: { name: credential } }],
    writes: [{ insert: 'companions', row }],
    entry: {
      kind: 'companion.set-intended',
      actor: caller.principal.id,
      request: caller.request,
      credential,
      data: { name: row.name, generation: row.generation, store: row.store, record: row.record },
    },
  });
  if (!intent.committed) {
    if (intent.rule !== 'credential-known') throw refused(intent.rule);
    throw new KeyturnError('not_found', `There is no credential ${credential} yet.`, {
      fix: `Import its certificate first: keyturn import ${credential} --zip FILE --chain FILE`,
    });
  }
  const entry = await desk.storeQueue.run(row.store, async () => {
    await desk.defaultStore.write(row.record, secret);
    return finishCompanion(desk, caller.principal.id, row, caller.request);
  });
  return { credential, name: row.name, generation: row.generation, entry };
}

async function pendingRow(desk: Desk, credential: string, name: string, secret: SecretBytes): Promise<CompanionRow> {
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
    store: desk.defaultStore.name,
    record: companionRecord(credential, name, generation),
    length: secret.length,
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
  return outcome.index;
}

/**
 * Settles companions whose write was interrupted. Their value has no fingerprint to compare, so one that is in the
 * store was written whole (a store's writes are atomic) and counts; one that is absent is abandoned.
 */
export async function settleCompanions(desk: Desk): Promise<void> {
  for (const row of await desk.ledger.find('companions', { state: 'pending' })) {
    const store = desk.stores.get(row.store);
    if (store === undefined) continue;
    await desk.storeQueue.run(row.store, async () => {
      using found = await store.tryRead(row.record);
      if (found !== null) await finishCompanion(desk, 'system', row);
      else await abandon(desk, row);
    });
  }
}

async function abandon(desk: Desk, { credential, name, generation }: CompanionRow): Promise<void> {
  await desk.ledger.commit({
    checks: [
      { rule: 'companion-pending', table: 'companions', some: { credential, name, generation, state: 'pending' } },
    ],
    writes: [{ update: 'companions', where: { credential, name, generation }, set: { state: 'abandoned' }, rows: 1 }],
    entry: { kind: 'companion.abandoned', actor: 'system', credential, data: { name, generation } },
  });
}
