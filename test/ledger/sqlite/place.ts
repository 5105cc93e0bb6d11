import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LogSigner, LogVerifier } from '../../../src/audit/checkpoint.ts';

export const ORIGIN = 'keyturn.test/log';

/** A folder of its own and a fresh log key. */
export async function freshPlace() {
  const folder = await mkdtemp(join(tmpdir(), 'keyturn-ledger-'));
  const { privateKey } = generateKeyPairSync('ed25519');
  const signer = { origin: ORIGIN, privateKey };
  const keys = [LogSigner.create(ORIGIN, privateKey).vkey];
  return {
    folder,
    path: join(folder, 'ledger.db'),
    signer,
    verifier: new LogVerifier({ origin: ORIGIN, keys }),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
