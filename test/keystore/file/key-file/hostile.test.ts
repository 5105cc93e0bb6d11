import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isKeyturnError } from '../../../../src/core/errors.ts';
import { SecretBytes } from '../../../../src/core/secret-bytes.ts';
import { decodeState } from '../../../../src/keystore/file/key-file/image.ts';
import { parseFile } from '../../../../src/keystore/file/key-file/layout.ts';
import type { MasterKeySource } from '../../../../src/keystore/file/master/source.ts';
import { type ReferenceFile, withChecksum, writeReference } from '../reference-file.ts';
import { masterOf } from '../temporary-store.ts';

const PLACE = '/store/keys.ktn';

/** What an attacker who knows every key of the store could write: only the format itself stands against it. */
function hostile(change: Partial<ReferenceFile> = {}): { octets: Buffer; master: MasterKeySource } {
  const file: ReferenceFile = {
    storeId: randomBytes(16),
    master: randomBytes(32),
    wrapNonce: randomBytes(12),
    dataKey: randomBytes(32),
    contentKey: randomBytes(32),
    generation: 3n,
    records: [record('versions/a/b/1'), record('versions/a/b/2')],
    ...change,
  };
  return { octets: writeReference(file), master: masterOf(file.master) };
}

function record(name: string, octets = 40) {
  return { name, nonce: randomBytes(12), octets: randomBytes(octets) };
}

const refusals: Readonly<Record<string, Partial<ReferenceFile>>> = {
  'another magic': { magic: Buffer.from('KEYTURN1') },
  'a future format version': { version: 2 },
  'format version 0': { version: 0 },
  'generation 0': { generation: 0n },
  'a generation past exact numbers': { generation: 2n ** 53n },
  'the largest generation': { generation: 2n ** 64n - 1n },
  'records out of order': { records: [record('versions/a/b/2'), record('versions/a/b/1')] },
  'a record twice': { records: [record('versions/a/b/1'), record('versions/a/b/1')] },
  'a record under another name than it was sealed for': {
    records: [{ ...record('versions/a/b/1'), sealedAs: 'versions/a/b/2' }],
  },
  'a record of no octets': { records: [record('versions/a/b/1', 0)] },
  'a record of 64 KiB and one octet': { records: [record('versions/a/b/1', 65_537)] },
  'a sealed record shorter than nonce and tag': { records: [{ ...record('a/b'), sealed: Buffer.alloc(27) }] },
  'a record name with a dot segment': { records: [record('versions/../b')] },
  'a record name in upper case': { records: [record('versions/A/b')] },
  'an empty record name': { records: [record('')] },
  'fewer records than it says': { recordCount: 3 },
  'more records than it says': { recordCount: 1 },
  'four thousand million records': { recordCount: 0xffffffff },
  'octets after the last record': { trailing: Buffer.alloc(1) },
};

describe('a key store file written by someone who holds every key', () => {
  it('opens when it keeps to the format', async () => {
    const { octets, master } = hostile();
    const state = await decodeState(octets, master, PLACE);
    expect([...state.file.records.keys()]).toEqual(['versions/a/b/1', 'versions/a/b/2']);
    expect(state.file.generation).toBe(3);
  });

  for (const [what, change] of Object.entries(refusals)) {
    it(`is refused with ${what}`, async () => {
      const { octets, master } = hostile(change);
      await expect(decodeState(octets, master, PLACE)).rejects.toMatchObject({ code: 'keystore_corrupt' });
    });
  }

  const salt = Buffer.alloc(16, 7);
  const fine = { kind: 1, memoryKiB: 64 * 1024, passes: 3, lanes: 1, salt };
  const absurd = {
    'no memory': { ...fine, memoryKiB: 0 },
    'less memory than anyone recommends': { ...fine, memoryKiB: 19 * 1024 - 1 },
    'more memory than we spend': { ...fine, memoryKiB: 256 * 1024 + 1 },
    'four tebibytes': { ...fine, memoryKiB: 0xffffffff },
    'no pass': { ...fine, passes: 0 },
    'a single pass': { ...fine, passes: 1 },
    'four thousand million passes': { ...fine, passes: 0xffffffff },
    'no lane': { ...fine, lanes: 0 },
    'too many lanes': { ...fine, lanes: 5 },
    'an unknown function': { ...fine, kind: 2 },
    'parameters where there is no passphrase': { ...fine, kind: 0 },
    'a salt where there is no passphrase': { kind: 0, memoryKiB: 0, passes: 0, lanes: 0, salt },
  };
  for (const [what, stretch] of Object.entries(absurd)) {
    it(`is refused with ${what} in its passphrase parameters, before the passphrase is asked for`, async () => {
      const { octets } = hostile({ stretch, stretched: randomBytes(32) });
      let asked = false;
      const master: MasterKeySource = {
        kind: 'passphrase',
        description: 'passphrase',
        read: async () => {
          asked = true;
          return SecretBytes.copyOf(Buffer.from('correct horse battery staple'));
        },
      };
      await expect(decodeState(octets, master, PLACE)).rejects.toMatchObject({ code: 'keystore_corrupt' });
      expect(asked).toBe(false);
    });
  }
});

describe('arbitrary octets in the place of a key store file', () => {
  function refusedAsDamaged(octets: Buffer): boolean {
    try {
      parseFile(octets, PLACE);
      return false;
    } catch (error) {
      return isKeyturnError(error, 'keystore_corrupt');
    }
  }

  it('are refused as damaged, whatever they are', () => {
    const octets = fc.uint8Array({ maxLength: 600 }).map((raw) => Buffer.from(raw));
    fc.assert(
      fc.property(octets, (raw) => refusedAsDamaged(raw) && refusedAsDamaged(withChecksum(raw))),
      { numRuns: 10_000 },
    );
  });

  it('are refused or parsed, and nothing else, when they grow out of a real file', () => {
    const { octets } = hostile();
    const body = octets.subarray(0, -64);
    const edits = fc.array(
      fc.record({ at: fc.nat(body.length - 1), remove: fc.nat(8), insert: fc.uint8Array({ maxLength: 8 }) }),
      { minLength: 1, maxLength: 4 },
    );
    fc.assert(
      fc.property(edits, (list) => {
        let edited = Buffer.from(body);
        for (const { at, remove, insert } of list) {
          edited = Buffer.concat([edited.subarray(0, at), insert, edited.subarray(at + remove)]);
        }
        const whole = withChecksum(Buffer.concat([edited, Buffer.alloc(32)]));
        try {
          const { file } = parseFile(whole, PLACE);
          for (const sealed of file.records.values()) expect(sealed.length).toBeLessThanOrEqual(edited.length);
        } catch (error) {
          expect(isKeyturnError(error, 'keystore_corrupt')).toBe(true);
        }
      }),
      { numRuns: 10_000 },
    );
  });
});
