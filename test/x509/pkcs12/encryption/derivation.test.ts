import fc from 'fast-check';
import forge from 'node-forge';
import { expect, test } from 'vitest';
import { type Digest, derive, PURPOSE } from '../../../../src/x509/pkcs12/encryption/derivation.ts';

const wide = (text: string) => Buffer.concat([Buffer.from(text, 'utf16le').swap16(), Buffer.alloc(2)]);

/** node-forge has no SHA-224 of its own. */
const digests = fc.constantFrom<Digest>('sha1', 'sha256', 'sha384', 'sha512');

test('another library derives the same key, for every hash, purpose, length and password', async () => {
  const salts = fc.uint8Array({ minLength: 1, maxLength: 150 }).map((octets) => Buffer.from(octets));
  const passwords = fc.oneof(fc.string({ unit: 'grapheme', maxLength: 80 }), fc.constant(null));
  await fc.assert(
    fc.asyncProperty(
      digests,
      salts,
      passwords,
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 1, max: 200 }),
      fc.constantFrom<1 | 2 | 3>(1, 2, 3),
      async (digest, salt, password, iterations, length, purpose) => {
        const word = password === null ? Buffer.alloc(0) : wide(password);
        const ours = await derive({ digest, salt, iterations }, word, purpose, length);
        const md = forge.md[digest as 'sha1'].create();
        const octets = forge.util.createBuffer(salt.toString('latin1'));
        // The published types want a password; null is none at all.
        const theirs = forge.pkcs12.generateKey(password as string, octets, purpose, iterations, length, md);
        expect(ours.toString('hex')).toBe(theirs.toHex());
      },
    ),
    { numRuns: 300 },
  );
});

test('salt and password stay as they are', async () => {
  const [salt, password] = [Buffer.from('12345678'), wide('hunter2')];
  await derive({ digest: 'sha1', salt, iterations: 3 }, password, PURPOSE.mac, 20);
  expect(salt.toString()).toBe('12345678');
  expect(password.equals(wide('hunter2'))).toBe(true);
});

test('while a costly key is derived the process does other work', async () => {
  let turns = 0;
  let done = false;
  const turn = () => {
    turns++;
    if (!done) setImmediate(turn);
  };
  setImmediate(turn);
  await derive({ digest: 'sha1', salt: Buffer.from('12345678'), iterations: 100_000 }, wide('x'), PURPOSE.key, 20);
  done = true;
  expect(turns).toBeGreaterThanOrEqual(10);
});
