import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { decodeState } from '../../../../src/keystore/file/key-file/image.ts';
import { encodeBody, parseFile } from '../../../../src/keystore/file/key-file/layout.ts';
import { unsealRecord } from '../../../../src/keystore/file/key-file/records.ts';
import { withChecksum } from '../reference-file.ts';
import { plain, type TemporaryStore, temporaryStore } from '../temporary-store.ts';

const ONE = 'versions/lean/sandbox/1';
const TWO = 'versions/lean/production/1';

/** The store's file with its records put otherwise, and everything put right that needs no key. */
function rebuilt(store: TemporaryStore, put: (records: Map<string, Buffer>) => void): Buffer {
  const { file, mac } = parseFile(store.octets(), store.path);
  const records = new Map(file.records);
  put(records);
  return withChecksum(Buffer.concat([encodeBody({ ...file, records }), mac]));
}

describe('records moved inside a store or between stores', () => {
  it('are refused when two change places', async () => {
    const store = await temporaryStore({ [ONE]: randomBytes(64), [TWO]: randomBytes(64) });
    store.put(
      rebuilt(store, (records) => {
        const [one, two] = [records.get(ONE)!, records.get(TWO)!];
        records.set(ONE, two).set(TWO, one);
      }),
    );
    await expect(store.open()).rejects.toMatchObject({ code: 'keystore_corrupt' });
  });

  it('are refused when one is dropped, and when one is filed a second time under another name', async () => {
    const store = await temporaryStore({ [ONE]: randomBytes(64), [TWO]: randomBytes(64) });
    const good = store.octets();
    store.put(rebuilt(store, (records) => records.delete(TWO)));
    await expect(store.open()).rejects.toMatchObject({ code: 'keystore_corrupt' });
    store.put(good);
    store.put(rebuilt(store, (records) => records.set('versions/lean/sandbox/2', records.get(TWO)!)));
    await expect(store.open()).rejects.toMatchObject({ code: 'keystore_corrupt' });
  });

  it('are refused when they come from another store with the same master key', async () => {
    const donor = await temporaryStore({ [ONE]: randomBytes(64) });
    const store = await temporaryStore({ [ONE]: randomBytes(64) }, donor.master);
    const foreign = parseFile(donor.octets(), donor.path).file.records.get(ONE)!;
    store.put(rebuilt(store, (records) => records.set(ONE, foreign)));
    await expect(store.open()).rejects.toMatchObject({ code: 'keystore_corrupt' });
  });

  it('are refused when they come from a later file of a copy of this very store', async () => {
    const store = await temporaryStore({ [ONE]: randomBytes(64) });
    const earlier = store.octets();
    const opened = await store.open();
    await opened.rotateDataKey();
    await opened.close();
    const later = parseFile(store.octets(), store.path).file.records.get(ONE)!;
    store.put(earlier);
    store.put(rebuilt(store, (records) => records.set(ONE, later)));
    await expect(store.open()).rejects.toMatchObject({ code: 'keystore_corrupt' });
  });

  it('do not open under another name even for who holds the store keys', async () => {
    const store = await temporaryStore({ [ONE]: randomBytes(64) });
    const { file, keys } = await decodeState(store.octets(), store.master, store.path);
    const sealed = file.records.get(ONE)!;
    unsealRecord(keys, file.storeId, ONE, sealed).dispose();
    for (const name of [TWO, `${ONE}0`, 'versions/lean/sandbox']) {
      expect(() => unsealRecord(keys, file.storeId, name, sealed)).toThrowError(
        expect.objectContaining({ code: 'keystore_corrupt' }),
      );
    }
    const elsewhere = Buffer.from(file.storeId).fill(1, 0, 1);
    expect(() => unsealRecord(keys, elsewhere, ONE, sealed)).toThrowError(
      expect.objectContaining({ code: 'keystore_corrupt' }),
    );
  });
});

describe('an earlier file of a store put back', () => {
  it('opens, and shows by generation and digest that it is not the newest', async () => {
    const store = await temporaryStore({ [ONE]: Buffer.from('first') });
    const earlier = store.octets();
    const opened = await store.open();
    const before = await opened.attest();
    await opened.destroy(ONE);
    const after = await opened.attest();
    await opened.close();
    store.put(earlier);
    const rolledBack = await store.open();
    expect(await plain(rolledBack, ONE)).toEqual(Buffer.from('first'));
    expect(await rolledBack.attest()).toEqual(before);
    expect(after.generation).toBe(before.generation + 1);
    expect(after.digest).not.toBe(before.digest);
  });
});
