import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { isKeyturnError } from '../../../../src/core/errors.ts';
import { SecretBytes } from '../../../../src/core/secret-bytes.ts';
import { decodeState } from '../../../../src/keystore/file/key-file/image.ts';
import type { MasterKeySource } from '../../../../src/keystore/file/master/source.ts';
import { withChecksum } from '../reference-file.ts';
import { temporaryStore } from '../temporary-store.ts';

/** How the octets are refused; `accepted` would be a hole. */
async function verdict(octets: Buffer, master: MasterKeySource): Promise<string> {
  try {
    await decodeState(octets, master, '/store/keys.ktn');
    return 'accepted';
  } catch (error) {
    return isKeyturnError(error) ? error.code : `not ours: ${String(error)}`;
  }
}

/** A store of about 4 KiB. */
async function fourKiB() {
  const store = await temporaryStore({
    'versions/lean/sandbox/1': randomBytes(1200),
    'versions/lean/sandbox/2': randomBytes(1200),
    'companions/lean/sandbox/lean-app-token/1': randomBytes(36),
    'system/log/1': randomBytes(1100),
  });
  return { octets: store.octets(), master: await remembered(store.master) };
}

/** Reads a master key once, so that a loop does not read its file tens of thousands of times. */
async function remembered(source: MasterKeySource): Promise<MasterKeySource> {
  const octets = await source.read();
  return { ...source, read: async () => SecretBytes.copyOf(octets.bytes) };
}

function flipped(octets: Buffer, bit: number): Buffer {
  const copy = Buffer.from(octets);
  copy[bit >> 3]! ^= 1 << (bit & 7);
  return copy;
}

async function tally(variants: Iterable<Buffer>, master: MasterKeySource): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const octets of variants) {
    const code = await verdict(octets, master);
    counts[code] = (counts[code] ?? 0) + 1;
  }
  return counts;
}

describe('a key store file that was changed outside', () => {
  it('opens while nothing was changed', async () => {
    const { octets, master } = await fourKiB();
    expect(octets.length).toBeGreaterThan(3800);
    expect(await verdict(octets, master)).toBe('accepted');
  });

  it('is refused as damaged at every single flipped bit', async () => {
    const { octets, master } = await fourKiB();
    const bits = octets.length * 8;
    const counts = await tally(
      Array.from({ length: bits }, (_, bit) => flipped(octets, bit)),
      master,
    );
    expect(counts).toEqual({ keystore_corrupt: bits });
  });

  it('is refused at every single flipped bit when the attacker puts the checksum right', {
    timeout: 90_000,
  }, async () => {
    const { octets, master } = await fourKiB();
    const covered = octets.subarray(0, -32);
    const bits = covered.length * 8;
    const variants = function* () {
      for (let bit = 0; bit < bits; bit++) yield withChecksum(flipped(covered, bit));
    };
    const counts = await tally(variants(), master);
    expect(Object.keys(counts).sort()).toEqual(['keystore_corrupt', 'master_key_wrong']);
    // Only a changed store id (16 octets) or check value (32 octets) can look like another master key's file.
    expect(counts['master_key_wrong']).toBe(48 * 8);
    expect(counts['keystore_corrupt']).toBe(bits - 48 * 8);
  });

  it('is refused at every truncation, checksum put right or not', async () => {
    const { octets, master } = await fourKiB();
    const variants = function* () {
      for (let length = 0; length < octets.length; length++) {
        yield octets.subarray(0, length);
        yield withChecksum(octets.subarray(0, length));
      }
    };
    // Cutting exactly the old checksum and making a new one gives the file itself.
    expect(await tally(variants(), master)).toEqual({ keystore_corrupt: 2 * octets.length - 1, accepted: 1 });
  });

  it('is refused with any two 512-octet sectors swapped, and with any sector zeroed or doubled', async () => {
    const { octets, master } = await fourKiB();
    const sectors = Math.floor((octets.length - 32) / 512);
    const variants: Buffer[] = [];
    for (let a = 0; a < sectors; a++) {
      const sector = Buffer.from(octets.subarray(a * 512, (a + 1) * 512));
      const zeroed = Buffer.from(octets);
      zeroed.fill(0, a * 512, (a + 1) * 512);
      const doubled = Buffer.concat([octets.subarray(0, (a + 1) * 512), sector, octets.subarray((a + 1) * 512)]);
      variants.push(zeroed, doubled, withChecksum(zeroed.subarray(0, -32)), withChecksum(doubled.subarray(0, -32)));
      for (let b = a + 1; b < sectors; b++) {
        const swapped = Buffer.from(octets);
        octets.copy(swapped, a * 512, b * 512, (b + 1) * 512);
        sector.copy(swapped, b * 512);
        variants.push(swapped, withChecksum(swapped.subarray(0, -32)));
      }
    }
    const counts = await tally(variants, master);
    expect(counts['accepted']).toBeUndefined();
    expect(Object.keys(counts).filter((code) => code.startsWith('not ours'))).toEqual([]);
  });

  it('is refused at every octet of 64 KiB set to 00, to FF or changed by one, in turn', {
    timeout: 90_000,
  }, async () => {
    const store = await temporaryStore({
      'versions/a/b/1': randomBytes(32_000),
      'versions/a/b/2': randomBytes(32_000),
    });
    const octets = store.octets();
    const master = await remembered(store.master);
    let tried = 0;
    const variants = function* () {
      for (let at = 0; at < octets.length; at++) {
        const was = octets[at]!;
        const value = [0x00, 0xff, was ^ 1][at % 3]!;
        if (value === was) continue;
        tried++;
        octets[at] = value;
        yield octets;
        octets[at] = was;
      }
    };
    expect(await tally(variants(), master)).toEqual({ keystore_corrupt: tried });
    expect(tried).toBeGreaterThan(64_000);
  });
});
