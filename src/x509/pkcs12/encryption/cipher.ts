import { createDecipheriv } from 'node:crypto';
import { decryptRc2 } from './rc2.ts';

export type CipherName = 'aes-128-cbc' | 'aes-192-cbc' | 'aes-256-cbc' | 'des-ede3-cbc' | 'rc2-40-cbc' | 'rc2-128-cbc';

/** In octets. */
export const SIZES: Readonly<Record<CipherName, { readonly key: number; readonly block: number }>> = {
  'aes-128-cbc': { key: 16, block: 16 },
  'aes-192-cbc': { key: 24, block: 16 },
  'aes-256-cbc': { key: 32, block: 16 },
  'des-ede3-cbc': { key: 24, block: 8 },
  'rc2-40-cbc': { key: 5, block: 8 },
  'rc2-128-cbc': { key: 16, block: 8 },
};

/** A cipher with all it needs. `key` is wiped by whoever made it. */
export interface Keyed {
  readonly name: CipherName;
  readonly key: Buffer;
  readonly vector: Buffer;
}

/** The plain octets, the caller's to wipe. Null when the padding is wrong: another key, or damaged data. */
export async function decipher(keyed: Keyed, data: Buffer): Promise<Buffer | null> {
  const { block } = SIZES[keyed.name];
  if (data.length === 0 || data.length % block !== 0) return null;
  const padded = await decipherBlocks(keyed, data);
  const padding = padded.at(-1) ?? 0;
  // RFC 8018 section 6.1.1 step 4: every octet of the padding tells its length.
  const sound = padding >= 1 && padding <= block && padded.subarray(-padding).every((octet) => octet === padding);
  const plain = sound ? Buffer.from(padded.subarray(0, -padding)) : null;
  padded.fill(0);
  return plain;
}

async function decipherBlocks({ name, key, vector }: Keyed, data: Buffer): Promise<Buffer> {
  if (name === 'rc2-40-cbc') return decryptRc2({ bits: 40, key, vector }, data);
  if (name === 'rc2-128-cbc') return decryptRc2({ bits: 128, key, vector }, data);
  // Without automatic padding all comes out of `update`, in one Buffer that can be wiped.
  return createDecipheriv(name, key, vector).setAutoPadding(false).update(data);
}
