import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { SecretBytes } from '../../../../src/core/secret-bytes.ts';
import { decodeState } from '../../../../src/keystore/file/key-file/image.ts';
import { contentDigest, unsealRecord } from '../../../../src/keystore/file/key-file/records.ts';
import { passphrase } from '../../../../src/keystore/file/master/passphrase.ts';
import type { MasterKeySource } from '../../../../src/keystore/file/master/source.ts';
import { referenceDigest, writeReference } from '../reference-file.ts';
import { masterOf } from '../temporary-store.ts';

const octets = z.string().transform((hex) => Buffer.from(hex, 'hex'));
const master = z.union([z.strictObject({ octets }), z.strictObject({ passphrase: z.string() })]);
const stretch = z.strictObject({ memoryKiB: z.int(), passes: z.int(), lanes: z.int(), salt: octets });
const inputs = z.strictObject({
  storeId: octets,
  master,
  stretch: stretch.nullable(),
  wrapNonce: octets,
  dataKey: octets,
  contentKey: octets,
  generation: z.int(),
  records: z.array(z.strictObject({ name: z.string(), nonce: octets, octets })),
});
const vectors = z
  .strictObject({
    note: z.string(),
    valid: z.array(z.strictObject({ what: z.string(), inputs, file: octets, digest: z.string() })).length(3),
    invalid: z.array(z.strictObject({ what: z.string(), master, file: octets, error: z.string() })).length(14),
  })
  .parse(JSON.parse(readFileSync(new URL('../../../vectors/key-file/v1.json', import.meta.url), 'utf8')));

function sourceOf(given: z.infer<typeof master>): MasterKeySource {
  if ('octets' in given) return masterOf(given.octets);
  return passphrase(async () => SecretBytes.copyOf(Buffer.from(given.passphrase)));
}

describe('the published vectors of the key store file', () => {
  for (const { what, inputs: given, file, digest } of vectors.valid) {
    it(`open: ${what}`, async () => {
      const state = await decodeState(file, sourceOf(given.master), 'vector');
      expect(state.file.generation).toBe(given.generation);
      expect(state.file.storeId).toEqual(given.storeId);
      const found = [...state.file.records].map(([name, sealed]) => {
        using plaintext = unsealRecord(state.keys, state.file.storeId, name, sealed);
        return { name, octets: Buffer.from(plaintext.bytes) };
      });
      expect(found).toEqual(given.records.map(({ name, octets: content }) => ({ name, octets: content })));
      expect(contentDigest(state.tags, [])).toBe(digest);
    });

    it(`are what a second implementation writes: ${what}`, () => {
      const key = 'octets' in given.master ? given.master.octets : Buffer.from(given.master.passphrase);
      const { stretch: cost, generation, ...rest } = given;
      const reference = {
        ...rest,
        master: key,
        generation: BigInt(generation),
        ...(cost === null ? {} : { stretch: { kind: 1, ...cost } }),
      };
      expect(writeReference(reference)).toEqual(file);
      expect(referenceDigest(reference)).toBe(digest);
    });
  }

  for (const { what, master: given, file, error } of vectors.invalid) {
    it(`are refused as ${error}: ${what}`, async () => {
      await expect(decodeState(file, sourceOf(given), 'vector')).rejects.toMatchObject({ code: error });
    });
  }
});
