import { createPrivateKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HEADER_OCTETS } from '../../src/backup/header.ts';
import { parseRecipient } from '../../src/backup/recipient.ts';
import { CHUNK_OCTETS, decryptBackup, encryptBackup } from '../../src/backup/stream.ts';
import { generateX25519, rawPublicKey } from '../../src/sealed/x25519.ts';
import { fixedOctets, piecesOf, whole } from './octets.ts';

const identity = generateX25519();
const SEALED = CHUNK_OCTETS + 16;

const encrypt = (plaintext: Buffer, size?: number) =>
  whole(encryptBackup(piecesOf(plaintext, size), identity.publicKey));
const decrypt = (file: Buffer, size?: number, key: KeyObject = identity.privateKey) =>
  whole(decryptBackup(piecesOf(file, size), key));

function refused(file: Buffer) {
  return expect(decrypt(file)).rejects.toMatchObject({ code: 'backup_invalid' });
}

test.each([0, 1, CHUNK_OCTETS - 1, CHUNK_OCTETS, CHUNK_OCTETS + 1, 3 * CHUNK_OCTETS, 3 * CHUNK_OCTETS + 77])(
  '%d octets come back as they were, whatever pieces they travel in',
  async (length) => {
    const plaintext = fixedOctets(length);
    const file = await encrypt(plaintext);
    expect(file.length).toBe(HEADER_OCTETS + length + 16 * Math.max(1, Math.ceil(length / CHUNK_OCTETS)));
    for (const size of [7_001, CHUNK_OCTETS, SEALED, 1_000_000]) {
      expect((await decrypt(file, size)).equals(plaintext)).toBe(true);
    }
    expect((await decrypt(await encrypt(plaintext, 1_013))).equals(plaintext)).toBe(true);
  },
);

test('two backups of the same octets have no octet in common but those that say what they are', async () => {
  const [one, two] = [await encrypt(fixedOctets(100)), await encrypt(fixedOctets(100))];
  expect(one.subarray(0, 42).equals(two.subarray(0, 42))).toBe(true);
  expect(one.subarray(42, 74).equals(two.subarray(42, 74))).toBe(false);
  expect(one.subarray(HEADER_OCTETS).equals(two.subarray(HEADER_OCTETS))).toBe(false);
});

describe('a backup of four parts', () => {
  const plaintext = fixedOctets(3 * CHUNK_OCTETS + 500);
  const file = encrypt(plaintext);
  const partsOf = (all: Buffer) =>
    [0, 1, 2, 3].map((at) => all.subarray(HEADER_OCTETS + at * SEALED).subarray(0, SEALED));

  test('cut at or beside the end of any part is refused, and at any place of its header', async () => {
    const all = await file;
    for (let part = 0; part <= 3; part += 1) {
      for (const off of [-1, 0, 1, 16, 17]) {
        const end = HEADER_OCTETS + part * SEALED + off;
        await refused(all.subarray(0, end));
      }
    }
    await refused(all.subarray(0, all.length - 1));
    for (let end = 0; end < HEADER_OCTETS; end += 1) await refused(all.subarray(0, end));
  });

  test('gives out no more than whole authentic parts before it is refused', async () => {
    const all = await file;
    const pieces: Buffer[] = [];
    const cut = decryptBackup(piecesOf(all.subarray(0, HEADER_OCTETS + 2 * SEALED + 100)), identity.privateKey);
    await expect(
      (async () => {
        for await (const piece of cut) pieces.push(piece);
      })(),
    ).rejects.toMatchObject({ code: 'backup_invalid' });
    expect(Buffer.concat(pieces).equals(plaintext.subarray(0, 2 * CHUNK_OCTETS))).toBe(true);
  });

  test('with any bit of its header flipped is refused', async () => {
    const all = await file;
    for (let bit = 0; bit < HEADER_OCTETS * 8; bit += 1) {
      const other = Buffer.from(all.subarray(0, HEADER_OCTETS + SEALED));
      other[bit >> 3]! ^= 1 << (bit & 7);
      await expect(decrypt(other)).rejects.toMatchObject({
        code: expect.stringMatching(/^backup_(invalid|identity_wrong)$/),
      });
    }
  });

  test('with a bit flipped anywhere behind it is refused', async () => {
    const all = await file;
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: HEADER_OCTETS * 8, max: all.length * 8 - 1 }), async (bit) => {
        const other = Buffer.from(all);
        other[bit >> 3]! ^= 1 << (bit & 7);
        await refused(other);
      }),
      { numRuns: 60 },
    );
  });

  test('with parts swapped, doubled, left out or from another backup is refused', async () => {
    const all = await file;
    const header = all.subarray(0, HEADER_OCTETS);
    const [a, b, c, d] = partsOf(all) as [Buffer, Buffer, Buffer, Buffer];
    const [, other] = partsOf(await encrypt(plaintext)) as [Buffer, Buffer];
    expect((await decrypt(Buffer.concat([header, a, b, c, d]))).equals(plaintext)).toBe(true);
    for (const parts of [
      [b, a, c, d],
      [a, a, b, c, d],
      [a, c, d],
      [a, b, d],
      [d],
      [a, b, c],
      [a, other, c, d],
      [a, b, c, d, d],
    ]) {
      await refused(Buffer.concat([header, ...parts]));
    }
    await refused(Buffer.concat([all, Buffer.alloc(1)]));
    await refused(Buffer.concat([all, Buffer.alloc(16)]));
    await refused(Buffer.concat([(await encrypt(plaintext)).subarray(0, HEADER_OCTETS), a, b, c, d]));
  });
});

test('another recipient’s identity is told apart from damage', async () => {
  const file = await encrypt(fixedOctets(10));
  await expect(decrypt(file, undefined, generateX25519().privateKey)).rejects.toMatchObject({
    code: 'backup_identity_wrong',
    facts: { recipient: expect.stringMatching(/^ktbackup_/) },
  });
});

test('a recipient of small order gets nothing', async () => {
  await expect(whole(encryptBackup(piecesOf(Buffer.alloc(1)), Buffer.alloc(32)))).rejects.toMatchObject({
    code: 'invalid_input',
  });
});

test('the published vector is what is written, and opens', async () => {
  const vector = JSON.parse(readFileSync(new URL('../vectors/backup/v1.json', import.meta.url), 'utf8')) as Vector;
  const keyOf = (hex: string) => {
    const der = Buffer.from(`302e020100300506032b656e04220420${hex}`, 'hex');
    const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
    return { privateKey, publicKey: rawPublicKey(privateKey) };
  };
  const recipient = keyOf(vector.identity);
  expect(parseRecipient(vector.recipient).equals(recipient.publicKey)).toBe(true);
  for (const each of vector.backups) {
    const plaintext = Buffer.from(each.plaintext, 'hex');
    const fixed = { contentKey: Buffer.from(vector.contentKey, 'hex'), ephemeral: keyOf(vector.ephemeral) };
    const written = await whole(encryptBackup(piecesOf(plaintext), recipient.publicKey, fixed));
    expect(written.toString('hex')).toBe(each.file);
    const opened = await whole(decryptBackup(piecesOf(Buffer.from(each.file, 'hex')), recipient.privateKey));
    expect(opened.equals(plaintext)).toBe(true);
  }
});

interface Vector {
  readonly identity: string;
  readonly recipient: string;
  readonly ephemeral: string;
  readonly contentKey: string;
  readonly backups: readonly { readonly plaintext: string; readonly file: string }[];
}
