import { randomBytes } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SecretBytes } from '../../../src/core/secret-bytes.ts';
import { openFileStore } from '../../../src/keystore/file/file-store.ts';
import { verifyFileStore } from '../../../src/keystore/file/verify.ts';
import { contentOf } from './crash/content.ts';
import { StoreProcess } from './crash/disturbed-store.ts';
import { withChecksum } from './reference-file.ts';
import { plain, type TemporaryStore, temporaryFolder, temporaryStore } from './temporary-store.ts';

const FIRST = 'versions/lean/sandbox/1';
const SECOND = 'versions/lean/sandbox/2';

function withTwo(): Promise<TemporaryStore> {
  return temporaryStore({ [FIRST]: randomBytes(200), [SECOND]: randomBytes(200) });
}

/** One octet behind this text is changed. */
function corruptBehind(octets: Buffer, text: string): Buffer {
  const copy = Buffer.from(octets);
  copy[copy.indexOf(text) + text.length + 40]! ^= 1;
  return copy;
}

describe('verifying a store that is damaged', () => {
  it('names the damaged record, whether the checksum was put right or not', async () => {
    const place = await withTwo();
    const corrupted = corruptBehind(place.octets(), SECOND);
    for (const octets of [corrupted, withChecksum(corrupted.subarray(0, -32))]) {
      place.put(octets);
      await expect(verifyFileStore(place)).rejects.toMatchObject({
        code: 'keystore_corrupt',
        message: expect.stringMatching(/Not authentic: versions\/lean\/sandbox\/2 \(1 of 2 records\)\.$/),
        facts: { damagedRecords: 1 },
      });
    }
  });

  it('names every damaged record, and of many the first', async () => {
    const names = Array.from({ length: 12 }, (_, index) => `versions/lean/sandbox/${index + 10}`);
    const place = await temporaryStore(Object.fromEntries(names.map((name) => [name, randomBytes(64)])));
    place.put(names.reduce(corruptBehind, place.octets()));
    await expect(verifyFileStore(place)).rejects.toMatchObject({
      message: expect.stringContaining('sandbox/19, … (12 of 12 records)'),
    });
  });

  it('says so when every record is authentic, and the damage lies elsewhere', async () => {
    const place = await withTwo();
    const octets = place.octets();
    octets[octets.length - 1]! ^= 1;
    place.put(octets);
    await expect(verifyFileStore(place)).rejects.toMatchObject({
      code: 'keystore_corrupt',
      message: expect.stringContaining('Each of its 2 records is authentic'),
    });
  });

  it('is told from one of a newer format, and from a file of another kind, whose checksum is nothing to us', async () => {
    const place = await withTwo();
    const newer = Buffer.from(place.octets());
    newer.writeUInt16BE(2, 8);
    place.put(newer);
    const refusal = {
      code: 'keystore_corrupt',
      message: expect.stringContaining('is of format version 2; this Keyturn'),
    };
    await expect(verifyFileStore(place)).rejects.toMatchObject({
      ...refusal,
      fix: expect.stringContaining('newer Keyturn'),
    });
    place.put(withChecksum(newer.subarray(0, -32)));
    await expect(place.open()).rejects.toMatchObject(refusal);
    place.put(Buffer.from('-----BEGIN PRIVATE KEY-----'.repeat(10)));
    await expect(verifyFileStore(place)).rejects.toThrow('is not a key store');
  });

  it('says that it is damaged when no record can be told any more', async () => {
    const place = await withTwo();
    place.put(place.octets().subarray(0, 100));
    await expect(verifyFileStore(place)).rejects.toMatchObject({ code: 'keystore_corrupt', facts: {} });
  });
});

describe('several processes and one store', () => {
  it('are kept apart: the second one is told which process has it open, and anyone may verify it', async () => {
    const place = await temporaryStore({ 'versions/a/b/1': contentOf('versions/a/b/1') });
    const first = await StoreProcess.start(place.path, join(place.folder, '..', 'master.key'));
    const { pid } = first.process;
    await expect(openFileStore(place)).rejects.toMatchObject({
      code: 'keystore_in_use',
      message: `The key store ${place.path} is open in process ${pid}.`,
      facts: { process: pid },
    });
    expect(await first.tell('write versions/a/b/2')).toBe('done');
    expect((await verifyFileStore(place)).records).toBe(2);
    await first.kill();
    await (await openFileStore(place)).close();
  });

  it('may have a copy open, which is a store of its own, and is not taken for the first when it takes its place', async () => {
    const place = await temporaryStore({ 'versions/a/b/1': contentOf('versions/a/b/1') });
    const first = await StoreProcess.start(place.path, join(place.folder, '..', 'master.key'));
    const folder = join(temporaryFolder(), 'copy');
    mkdirSync(folder, { mode: 0o700 });
    const path = join(folder, 'keys.ktn');
    copyFileSync(place.path, path);
    const copy = await openFileStore({ path, master: place.master });
    const before = readFileSync(place.path);
    await copy.write('versions/a/b/2', SecretBytes.copyOf(Buffer.from('of the copy')));
    expect(readFileSync(place.path)).toEqual(before);
    expect(await first.tell('read versions/a/b/2')).toBe('absent');
    await copy.close();

    renameSync(path, place.path);
    expect(await first.tell('write versions/a/b/3')).toMatch(/^keystore_rollback /);
    const now = await openFileStore({ path: place.path, master: place.master }).catch((error: unknown) => error);
    expect(now).toMatchObject({ code: 'keystore_in_use' });
    await first.kill();
    const reopened = await openFileStore(place);
    expect(await plain(reopened, 'versions/a/b/2')).toEqual(Buffer.from('of the copy'));
    await reopened.close();
  });
});
