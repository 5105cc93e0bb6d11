import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { SecretBytes } from '../../../../src/core/secret-bytes.ts';
import { keyStoreAdapters } from '../../../../src/keystore/registry.ts';
import type { VaultStoreOptions } from '../../../../src/keystore/vault/options.ts';
import type { OpenBao } from '../../../fakes/openbao.ts';
import { CANARY, type CellResult, runCell, STANDING, truth, VERBS, type Verb } from './cell.ts';

export const POLICY = readFileSync(
  fileURLToPath(new URL('../../../../policies/vault/keyturn.hcl', import.meta.url)),
  'utf8',
);

/** What the verbs come to: the outcome, then what the store holds afterwards. */
export type Row = Readonly<Record<Verb, string>>;

let folders = 0;

/** Runs every verb of one fault, each in a folder of its own: `arm` sets the fault up, `disarm` lifts it again. */
export async function runRow(server: OpenBao, fault: PlantedFault): Promise<{ row: Row; said: string }> {
  const cells = await Promise.all(VERBS.map((verb) => prepared(server, verb)));
  const options = await fault.arm();
  let results: CellResult[];
  try {
    results = await Promise.all(
      cells.map(({ verb, prefix }) => runCell(verb, { ...options, prefix: options.prefix ?? prefix })),
    );
  } finally {
    await fault.disarm?.();
  }
  const entries: [Verb, string][] = [];
  for (const [index, { verb, prefix }] of cells.entries()) {
    const clean = await keyStoreAdapters.vault(cleanOptions(server, prefix));
    const after = verb === 'health' ? '' : ` → ${await truth(clean)}`;
    await clean.close();
    entries.push([verb, `${settled(results[index]?.outcome ?? '')}${after}`.trim()]);
  }
  return { row: Object.fromEntries(entries) as Row, said: results.map(({ said }) => said).join('\n') };
}

/** Without what differs from run to run. */
function settled(outcome: string): string {
  return outcome.replace(/keyturn\/cell-[0-9]+/, '…').replace(/:[0-9]{4,5}\b/, ':port');
}

export interface PlantedFault {
  readonly arm: () => Promise<VaultStoreOptions>;
  readonly disarm?: () => Promise<void>;
}

/** Short patience, so that a hanging server is soon given up. */
export function hurried(server: OpenBao, token: string, address = server.url): VaultStoreOptions {
  return {
    timeoutMs: 600,
    maxRetries: 1,
    environment: { BAO_ADDR: address, BAO_CACERT_BYTES: server.ca.certificatePem, BAO_TOKEN: token },
  };
}

function cleanOptions(server: OpenBao, prefix: string): VaultStoreOptions {
  return { ...hurried(server, server.rootToken), prefix, timeoutMs: 5_000 };
}

async function prepared(server: OpenBao, verb: Verb): Promise<{ verb: Verb; prefix: string }> {
  folders += 1;
  const prefix = `keyturn/cell-${folders}`;
  const clean = await keyStoreAdapters.vault(cleanOptions(server, prefix));
  using octets = SecretBytes.copyOf(CANARY);
  await clean.write(STANDING, octets);
  await clean.close();
  return { verb, prefix };
}
