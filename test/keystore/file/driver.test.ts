import { randomBytes } from 'node:crypto';
import { copyFileSync, readdirSync, renameSync, rmSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SecretBytes } from '../../../src/core/secret-bytes.ts';
import { openFileStore } from '../../../src/keystore/file/file-store.ts';
import { decodeState } from '../../../src/keystore/file/key-file/image.ts';
import { unsealRecord } from '../../../src/keystore/file/key-file/records.ts';
import { verifyFileStore } from '../../../src/keystore/file/verify.ts';
import { masterIn, masterOf, plain, temporaryStore } from './temporary-store.ts';

const NAME = 'versions/lean/sandbox/1';

function secret(text: string): SecretBytes {
  return SecretBytes.copyOf(Buffer.from(text));
}

describe('a key store file', () => {
  it('gives back after reopening whatever was written, destroyed and rotated before', async () => {
    const name = fc.constantFrom('versions/a/b/1', 'versions/a/b/2', 'companions/a/b/t/1', 'system/log/1');
    const step = fc.oneof(
      fc.record({ do: fc.constant('write' as const), name, octets: fc.uint8Array({ minLength: 1, maxLength: 300 }) }),
      fc.record({ do: fc.constant('destroy' as const), name }),
      fc.record({ do: fc.constantFrom('rotateDataKey' as const, 'reopen' as const) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        const place = await temporaryStore();
        let store = await openFileStore(place);
        const model = new Map<string, Buffer>();
        let generation = (await store.attest()).generation;
        for (const action of steps) {
          if (action.do === 'write') {
            const standing = model.get(action.name);
            const written = store.write(action.name, SecretBytes.copyOf(action.octets));
            if (standing !== undefined && !standing.equals(action.octets)) {
              await expect(written).rejects.toMatchObject({ code: 'keystore_conflict' });
            } else {
              await written;
              if (standing === undefined) generation++;
              model.set(action.name, Buffer.from(action.octets));
            }
          } else if (action.do === 'destroy') {
            await store.destroy(action.name);
            if (model.delete(action.name)) generation++;
          } else if (action.do === 'rotateDataKey') {
            await store.rotateDataKey();
            generation++;
          } else {
            await store.close();
            store = await openFileStore(place);
          }
        }
        await store.close();
        store = await openFileStore(place);
        try {
          expect((await store.list()).sort()).toEqual([...model.keys()].sort());
          for (const [key, octets] of model) expect(await plain(store, key)).toEqual(octets);
          expect((await store.attest()).generation).toBe(generation);
        } finally {
          await store.close();
        }
      }),
      { numRuns: 40 },
    );
  });

  it('keeps its digest through a data key rotation and a master key rotation, and counts both as changes', async () => {
    const place = await temporaryStore({ [NAME]: randomBytes(50), 'versions/lean/sandbox/2': randomBytes(50) });
    const store = await place.open();
    const first = await store.attest();
    await store.rotateDataKey();
    const next = masterIn(place.folder, 'next.key');
    await store.rotateMasterKey(next);
    const rotated = { generation: first.generation + 2, digest: first.digest };
    expect(await store.attest()).toEqual(rotated);
    await store.close();
    // From the file alone, where no digest of before is left in memory.
    expect(await verifyFileStore({ ...place, master: next })).toMatchObject(rotated);
  });

  it('has one digest for one content, in whatever order it was written', async () => {
    const place = await temporaryStore({ 'versions/a/b/1': Buffer.from('x') });
    const store = await place.open();
    const alone = await store.attest();
    await store.write('versions/a/b/2', secret('y'));
    const both = await store.attest();
    expect(both.digest).not.toBe(alone.digest);
    expect(await store.attest(['versions/a/b/2'])).toEqual({ generation: both.generation, digest: alone.digest });
    await store.destroy('versions/a/b/2');
    expect((await store.attest()).digest).toBe(alone.digest);
    await store.destroy('versions/a/b/1');
    await store.write('versions/a/b/2', secret('y'));
    await store.write('versions/a/b/1', secret('x'));
    expect((await store.attest()).digest).toBe(both.digest);
    await store.destroy('versions/a/b/1');
    await store.write('versions/a/b/1', secret('z'));
    expect((await store.attest()).digest).not.toBe(both.digest);
  });

  it('opens with the new master key alone after a rotation', async () => {
    const place = await temporaryStore({ [NAME]: Buffer.from('content') });
    const next = masterIn(place.folder, 'next.key');
    const store = await place.open();
    await store.rotateMasterKey(next);
    await store.close();
    await expect(openFileStore(place)).rejects.toMatchObject({ code: 'master_key_wrong' });
    const reopened = await openFileStore({ ...place, master: next });
    expect(await plain(reopened, NAME)).toEqual(Buffer.from('content'));
    await reopened.close();
  });

  it('seals every record under another key after a data key rotation', async () => {
    const place = await temporaryStore({ [NAME]: randomBytes(50) });
    const before = await decodeState(place.octets(), place.master, place.path);
    const store = await place.open();
    await store.rotateDataKey();
    await store.close();
    const after = await decodeState(place.octets(), place.master, place.path);
    expect(after.keys.data.equals(before.keys.data)).toBe(false);
    const { storeId, records } = after.file;
    expect(() => unsealRecord(before.keys, storeId, NAME, records.get(NAME)!)).toThrowError(
      expect.objectContaining({ code: 'keystore_corrupt' }),
    );
    unsealRecord(after.keys, storeId, NAME, records.get(NAME)!).dispose();
  });

  it('refuses a data key rotation when its master key source now gives another key', async () => {
    let octets = randomBytes(32);
    const place = await temporaryStore(
      { [NAME]: Buffer.from('content') },
      { ...masterOf(octets), read: async () => SecretBytes.copyOf(octets) },
    );
    const store = await place.open();
    const before = place.octets();
    octets = randomBytes(32);
    await expect(store.rotateDataKey()).rejects.toMatchObject({ code: 'master_key_wrong' });
    expect(place.octets()).toEqual(before);
    expect(await plain(store, NAME)).toEqual(Buffer.from('content'));
  });

  it('makes a hundred changes asked for at once one after another, and loses none', async () => {
    const place = await temporaryStore();
    const store = await place.open();
    const names = Array.from({ length: 100 }, (_, index) => `versions/a/b/${index}`);
    await Promise.all(names.map((name) => store.write(name, secret(name))));
    expect(await store.attest()).toMatchObject({ generation: 101 });
    await store.close();
    const reopened = await place.open();
    for (const name of names) expect(await plain(reopened, name)).toEqual(Buffer.from(name));
  });

  it('never overwrites a file that something else put in its place while it was open', async () => {
    const place = await temporaryStore({ [NAME]: Buffer.from('content') });
    const store = await place.open();
    copyFileSync(place.path, join(place.folder, 'copy'));
    expect(await store.health()).toEqual({ ready: true, detail: '' });
    renameSync(join(place.folder, 'copy'), place.path);
    const swapped = place.octets();
    await expect(store.destroy(NAME)).rejects.toMatchObject({ code: 'keystore_rollback' });
    expect(place.octets()).toEqual(swapped);
    expect(await store.health()).toMatchObject({ ready: false });
    unlinkSync(place.path);
    await expect(store.destroy(NAME)).rejects.toMatchObject({ code: 'keystore_rollback' });
    expect(readdirSync(place.folder)).toEqual(['keys.ktn.lock']);
  });

  it('changes nothing once its lock file is gone', async () => {
    const place = await temporaryStore({ [NAME]: Buffer.from('content') });
    const store = await place.open();
    rmSync(`${place.path}.lock`);
    await expect(store.destroy(NAME)).rejects.toMatchObject({ code: 'keystore_in_use' });
    expect(await store.health()).toMatchObject({ ready: false });
    expect((await verifyFileStore(place)).records).toBe(1);
  });

  it('answers nothing once closed, and closes after what is under way', async () => {
    const place = await temporaryStore();
    const store = await place.open();
    const written = store.write(NAME, secret('content'));
    await store.close();
    await expect(written).resolves.toBeUndefined();
    for (const verb of [store.read(NAME), store.list(), store.destroy(NAME), store.attest()]) {
      await expect(verb).rejects.toMatchObject({ code: 'keystore_unavailable' });
    }
    expect(await store.health()).toMatchObject({ ready: false });
    expect((await verifyFileStore(place)).records).toBe(1);
  });

  it('shows no content, passphrase or key in the file, in errors, or when inspected', async () => {
    const master = randomBytes(32);
    const canary = randomBytes(48);
    const place = await temporaryStore({ [NAME]: canary }, masterOf(master));
    const store = await place.open();
    const errors = await Promise.all([
      store.write(NAME, secret('other')).catch((error: unknown) => error),
      openFileStore(place).catch((error: unknown) => error),
      verifyFileStore({ ...place, master: masterOf(randomBytes(32)) }).catch((error: unknown) => error),
    ]);
    expect(errors.every((error) => error instanceof Error)).toBe(true);
    const shown = [store, ...errors].map((value) => inspect(value, { depth: 20, showHidden: true })).join('\n');
    for (const octets of [canary, master]) {
      expect(place.octets().includes(octets.subarray(0, 8))).toBe(false);
      for (const form of ['hex', 'base64', 'base64url', 'latin1'] as const) {
        expect(shown).not.toContain(octets.subarray(3, 15).toString(form));
      }
      expect(shown).not.toContain(inspect(octets).slice(8, 40));
    }
  });
});

describe('verifying a store', () => {
  it('reports what it holds while another process has it open, and takes no lock', async () => {
    const place = await temporaryStore({ [NAME]: Buffer.from('content') });
    const store = await place.open();
    const report = await verifyFileStore(place);
    expect(report).toEqual({
      path: place.path,
      storeId: expect.stringMatching(/^[0-9a-f]{32}$/),
      ...(await store.attest()),
      records: 1,
      octets: place.octets().length,
      lockedWith: 'key',
    });
  });
});
