import { argon2, randomBytes } from 'node:crypto';
import { KeyturnError } from '../../../core/errors.ts';
import { SecretBytes } from '../../../core/secret-bytes.ts';

/** How a passphrase becomes a master key: Argon2id, RFC 9106. The salt has 16 octets. */
export interface StretchParameters {
  readonly memoryKiB: number;
  readonly passes: number;
  readonly lanes: number;
  readonly salt: Buffer;
}

export const SALT_OCTETS = 16;

/**
 * What a file may ask for. The lower end is the OWASP Password Storage Cheat Sheet's minimum (19 MiB, 2 passes);
 * the upper end keeps a hostile header from taking the machine's memory or minutes of its time.
 */
const BOUNDS = {
  memoryKiB: { least: 19 * 1024, most: 256 * 1024 },
  passes: { least: 2, most: 10 },
  lanes: { least: 1, most: 4 },
} as const;

/** The second recommended option of RFC 9106 section 4 (64 MiB, 3 passes) with one lane, and a fresh salt. */
export function freshStretch(): StretchParameters {
  return { memoryKiB: 64 * 1024, passes: 3, lanes: 1, salt: randomBytes(SALT_OCTETS) };
}

/** Whether parameters that an attacker may have written are ones we are ready to spend memory and time on. */
export function isAffordable(parameters: StretchParameters): boolean {
  return (['memoryKiB', 'passes', 'lanes'] as const).every(
    (name) => parameters[name] >= BOUNDS[name].least && parameters[name] <= BOUNDS[name].most,
  );
}

/**
 * 32 octets, owned by the caller. Takes some 200 ms and 64 MiB off the event loop.
 * @throws KeyturnError `keystore_unavailable` when the memory can't be had.
 */
export function stretch(passphrase: SecretBytes, parameters: StretchParameters): Promise<SecretBytes> {
  const { promise, resolve, reject } = Promise.withResolvers<SecretBytes>();
  const { memoryKiB: memory, passes, lanes: parallelism, salt: nonce } = parameters;
  argon2(
    'argon2id',
    { message: passphrase.bytes, nonce, memory, passes, parallelism, tagLength: 32 },
    (error, derived) => {
      if (error === null) resolve(SecretBytes.own(derived));
      else
        reject(
          new KeyturnError('keystore_unavailable', 'The passphrase could not be stretched.', {
            fix: `Leave this process at least ${Math.ceil(memory / 1024) + 16} MiB of free memory.`,
          }),
        );
    },
  );
  return promise;
}
