/** RC2 in CBC mode, as old exports have it. */
export interface Rc2 {
  readonly bits: 40 | 128;
  readonly key: Buffer;
  readonly vector: Buffer;
}

/**
 * Decrypts with node-forge, since OpenSSL 3 keeps RC2 in a provider that Node does not load. It works on strings, one
 * character an octet, which nothing can wipe: of a private key that lies within (as a rule it is under triple DES, and
 * only the certificates under RC2) a copy stays in memory until the collector reuses the place. Whole blocks, padding
 * included.
 */
export async function decryptRc2({ bits, key, vector }: Rc2, data: Buffer): Promise<Buffer> {
  // Not at the top: it takes 50 ms and a few MiB that hardly any process needs.
  const { default: forge } = await import('node-forge');
  const cipher = forge.rc2.createDecryptionCipher(forge.util.createBuffer(key.toString('latin1')), bits);
  cipher.start(vector.toString('latin1'));
  cipher.update(forge.util.createBuffer(data.toString('latin1')));
  cipher.finish(() => true);
  return Buffer.from(cipher.output.getBytes(), 'latin1');
}
