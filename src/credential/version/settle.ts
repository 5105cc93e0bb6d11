import { KeyturnError } from '../../core/errors.ts';
import { isAttesting } from '../../keystore/driver.ts';
import type { KeyStore } from '../../keystore/keystore.ts';
import type { Write } from '../../ledger/change.ts';
import { everyRow } from '../../ledger/pages.ts';
import type { VersionRow } from '../../ledger/tables.ts';
import { spkiOfPkcs8 } from '../../x509/private-key.ts';
import type { Desk } from '../desk.ts';
import { refused } from '../refusal.ts';
import { inTurn } from '../store/in-turn.ts';
import { storePlace } from '../store/store-queue.ts';
import { moveVersion } from './states.ts';

/**
 * Settles every `pending` version by reading the store: the same key is there → finish; nothing is there → abandon;
 * anything else → quarantine. Never deletes. A store that doesn't answer leaves its versions pending. Safe at any time:
 * run at start and now and then, it also settles what failed while the process ran.
 */
export async function settlePending(desk: Desk): Promise<{ settled: number; left: number }> {
  const total = { settled: 0, left: 0 };
  for (const store of desk.stores.values()) {
    await inTurn(desk, [storePlace(store.name)], async (own) => {
      // Read in turn, so that a write under way is over: what is pending now was interrupted.
      for (const row of await own.ledger.find('versions', { state: 'pending', store: store.name })) {
        const settled = await settleOne(own, store, row);
        total[settled ? 'settled' : 'left'] += 1;
      }
    });
  }
  return total;
}

async function settleOne(desk: Desk, store: KeyStore, row: VersionRow): Promise<boolean> {
  const found = await look(store, row);
  if (found === 'unknown') return false;
  if (found === 'same') await finishPending(desk, 'system', row);
  else await setAside(desk, row, found === 'absent' ? 'abandoned' : 'quarantined');
  return true;
}

async function look(store: KeyStore, row: VersionRow): Promise<'same' | 'absent' | 'other' | 'unknown'> {
  try {
    using octets = await store.tryRead(row.record);
    if (octets === null) return 'absent';
    return spkiOfPkcs8(octets) === row.spki ? 'same' : 'other';
  } catch (error) {
    if (error instanceof KeyturnError && error.code === 'keystore_unavailable') return 'unknown';
    return 'other';
  }
}

/** Commits the outcome of a store write: the version becomes current if there is none yet, else staged. */
export async function finishPending(
  desk: Desk,
  actor: string,
  row: VersionRow,
  request?: string,
): Promise<{ state: 'current' | 'staged'; entry: number }> {
  for (const state of ['current', 'staged'] as const) {
    const outcome = await desk.ledger.commit({
      checks: [
        { rule: 'version-pending', table: 'versions', some: { ...keyOf(row), state: 'pending' } },
        ...(state === 'current'
          ? [
              {
                rule: 'first-version',
                table: 'versions',
                none: { credential: row.credential, state: 'current' },
              } as const,
            ]
          : []),
      ],
      writes: [moveVersion(row, state, desk.clock.now()), ...(await attested(desk, row.store))],
      entry: {
        kind: 'version.imported',
        actor,
        credential: row.credential,
        version: row.version,
        ...(request === undefined ? {} : { request }),
        data: { state, spki: row.spki, serial: row.serial, store: row.store, record: row.record },
      },
    });
    if (outcome.committed) return { state, entry: outcome.index };
    if (outcome.rule !== 'first-version') throw refused(outcome.rule);
  }
  throw new KeyturnError('internal', 'A version could be neither the first nor a later one.');
}

async function setAside(desk: Desk, row: VersionRow, state: 'abandoned' | 'quarantined'): Promise<void> {
  await desk.ledger.commit({
    checks: [{ rule: 'version-pending', table: 'versions', some: { ...keyOf(row), state: 'pending' } }],
    // What is set aside in quarantine stays in the store, and is known there from now on.
    writes: [
      moveVersion(row, state, desk.clock.now()),
      ...(state === 'quarantined' ? await attested(desk, row.store) : []),
    ],
    entry: {
      kind: `version.${state}`,
      actor: 'system',
      credential: row.credential,
      version: row.version,
      data: { spki: row.spki, store: row.store, record: row.record },
    },
  });
}

function keyOf(row: VersionRow) {
  return { credential: row.credential, version: row.version };
}

/**
 * The write that records what the store now attests to; none for a store that can't attest. A record that is being
 * destroyed counts as gone: what its destruction leaves is then what the ledger knows, whenever it happens.
 * @param leaving a record whose destruction is recorded in the same commit.
 */
export async function attested(desk: Desk, name: string, leaving: readonly string[] = []): Promise<Write[]> {
  const store = desk.stores.get(name);
  if (store === undefined || !isAttesting(store.driver)) return [];
  const going = await everyRow(desk.ledger, 'moves', { source: name, state: 'destroying' }, 'id');
  const state = await store.attest([...leaving, ...going.map(({ record }) => record)]);
  return state === null ? [] : [{ put: 'stores', row: { store: name, ...state } }];
}
