import type { LogSigner, LogVerifier } from '../../audit/checkpoint.ts';

/**
 * A log goes on in the generation of its newest checkpoint, unless a later one is asked for: that is what a restore
 * does, once. `newest` has been verified.
 */
export function signerAfter(signer: LogSigner, verifier: LogVerifier, newest: string, wanted: number): LogSigner {
  return signer.ofGeneration(Math.max(verifier.open(newest).generation, wanted));
}
