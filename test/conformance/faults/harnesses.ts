import type { KeyStoreKind } from '../../../src/keystore/registry.ts';
import { awsFaults } from './aws/harness.ts';
import { fileFaults } from './file/harness.ts';
import type { FaultHarness } from './table.ts';
import { vaultFaults } from './vault/harness.ts';

/** One a kind that the registry knows: a new adapter does not compile, and fails the table, until it has its own. */
export const faultHarnesses: Readonly<Record<KeyStoreKind, FaultHarness>> = {
  aws: awsFaults,
  file: fileFaults,
  vault: vaultFaults,
};
