import { timestamp } from '../../../core/clock.ts';
import { isKeyturnError } from '../../../core/errors.ts';
import { storesNotHeld } from '../../../credential/hold/checks.ts';
import { storeNamed } from '../../../credential/store/settle-moves.ts';
import { credentialPlace, storePlace } from '../../../credential/store/store-queue.ts';
import { nextVersion } from '../../../credential/version/numbers.ts';
import { attested } from '../../../credential/version/settle.ts';
import type { KeyStore } from '../../../keystore/keystore.ts';
import { versionRecord } from '../../../keystore/record-name.ts';
import type { Fence } from '../../../ledger/fence.ts';
import type { Ledger } from '../../../ledger/ledger.ts';
import { spkiOfPkcs8 } from '../../../x509/private-key.ts';
import { type NewKey, newPrivateKey } from '../../../x509/request/new-key.ts';
import { backoff, next, type StepContext, type StepHandler, wait } from '../../workflow/step.ts';

/**
 * Our own key for the new version: its place is on record, then it is made and written there, then its fingerprint is on
 * record. Interrupted in between, the key that lies there is the one, for nobody else writes to that name.
 */
export const makeKey: StepHandler = async (context) => {
  const { desk, row } = context;
  const store = row.store === null ? desk.defaultStore : storeNamed(desk, row.store);
  try {
    // Nothing goes into a store that is frozen, nor out of it.
    if (desk.holds.isHeld('store', store.name))
      return wait(`The key store ${store.name} is frozen.`, context.pace.lookMs);
    return await desk.storeQueue.run([storePlace(store.name), credentialPlace(row.credential)], async (fence) => {
      const { version, record } = await placeOf(context, store, fence);
      const { algorithm } = context.environment.lifecycle.issuance.request;
      const spki = (await fingerprintOf(store, record)) ?? (await make(store, record, algorithm));
      context.point('make-key:written');
      return next({
        set: { spki },
        writes: await attested(desk, store.name),
        entry: {
          kind: 'version.key-made',
          version,
          data: { spki, algorithm, store: store.name, record, at: timestamp(context.now()), done: row.step },
        },
      });
    });
  } catch (error) {
    if (!isKeyturnError(error, 'keystore_unavailable')) throw error;
    return wait(`${error.message} Trying again.`, backoff(context));
  }
};

/**
 * Number and record of the new version, on record before anything is written. Taken in the credential's turn, as an
 * import takes its own.
 */
async function placeOf({ desk, row, journal }: StepContext, store: KeyStore, turn: Fence) {
  const { version, record } = row;
  if (version !== null && record !== null) return { version, record };
  const number = await freeNumber(desk.ledger, row.credential, store);
  const place = { version: number, record: versionRecord(row.credential, number), store: store.name };
  await journal.note('version.key-intended', {
    set: place,
    checks: [...turn.checks, ...storesNotHeld(place.store)],
    entry: { kind: 'version.key-intended', version: number, data: { store: place.store, record: place.record } },
  });
  return place;
}

/**
 * The next number whose place is empty. A store may hold what the ledger has forgotten, since an older one was restored:
 * that key is not ours to use, nor to overwrite.
 */
async function freeNumber(ledger: Ledger, credential: string, store: KeyStore): Promise<number> {
  for (let number = await nextVersion(ledger, credential); ; number += 1) {
    using left = await store.tryRead(versionRecord(credential, number));
    if (left === null) return number;
  }
}

/** Null when nothing is there yet. */
async function fingerprintOf(store: KeyStore, record: string): Promise<string | null> {
  using octets = await store.tryRead(record);
  return octets === null ? null : spkiOfPkcs8(octets);
}

async function make(store: KeyStore, record: string, algorithm: NewKey): Promise<string> {
  const key = await newPrivateKey(algorithm);
  try {
    await store.write(record, key.pkcs8);
    return key.spki;
  } finally {
    key.pkcs8.dispose();
  }
}
