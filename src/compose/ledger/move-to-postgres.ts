import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { LogSigner } from '../../audit/checkpoint.ts';
import { KeyturnError } from '../../core/errors.ts';
import { moveLedger } from '../../ledger/move/move.ts';
import { openPostgresLedger } from '../../ledger/postgres/open.ts';
import { CONFIG_FILE, type Config } from '../config.ts';
import type { AskSecret } from '../master-key.ts';
import { readLogKey } from '../open.ts';
import { ledger as ledgerSchema, ledgerSetting, type PostgresSetting } from '../settings/ledger.ts';
import { absoluteFrom } from '../settings/path.ts';
import { writeSetting } from '../settings/write.ts';
import { openOwnStore } from '../stores.ts';

export interface MovedLedger {
  /** Tree size that was copied. */
  readonly size: number;
  /** Where the file of before is now: it must not be opened again. */
  readonly kept: string;
}

/**
 * Moves the ledger of a stopped instance from its file into a PostgreSQL database: copied and compared in one
 * transaction there, then named by `keyturn.yaml`, then recorded on the log. Interrupted before the configuration names
 * the database, the file is still the ledger, and moving again goes on; after that, only the file's new name is missing.
 * @throws KeyturnError `config_invalid` for a setting that is none; `ledger_in_use` while a server runs; and as `moveLedger`.
 */
export async function moveToPostgres(config: Config, setting: PostgresSetting, ask: AskSecret): Promise<MovedLedger> {
  const { ledger } = config;
  if (!('path' in ledger)) {
    throw new KeyturnError('conflict', 'The ledger of this instance is in a database already.', {
      fix: 'Move a database with the tools of its server.',
    });
  }
  const place = placeOf(config, setting);
  const signer = { origin: config.origin, privateKey: await logKey(config, ask) };
  const { size } = await moveLedger({ path: ledger.path, place, signer });
  await writeSetting(join(config.home, CONFIG_FILE), ['ledger'], { postgres: setting });
  const kept = `${ledger.path}.moved`;
  await rename(ledger.path, kept);
  await recordMove(place, signer, size);
  return { size, kept };
}

function placeOf(config: Config, setting: PostgresSetting) {
  const parsed = ledgerSchema.safeParse({ postgres: setting });
  const found = parsed.success ? ledgerSetting(parsed.data, absoluteFrom(config.home)) : null;
  if (found !== null && 'postgres' in found) return found.postgres;
  throw new KeyturnError('config_invalid', 'This names no PostgreSQL database.', {
    fix: 'Name host, database and user; port, schema, password-file and ca where they are needed.',
  });
}

async function logKey(config: Config, ask: AskSecret) {
  const store = await openOwnStore(config, ask, {});
  try {
    return await readLogKey(store);
  } finally {
    await store.close();
  }
}

/** The first entry of the log in its new place. */
async function recordMove(
  place: Parameters<typeof openPostgresLedger>[0]['place'],
  signer: { readonly origin: string; readonly privateKey: Parameters<typeof LogSigner.create>[1] },
  size: number,
): Promise<void> {
  const ledger = await openPostgresLedger({ place, signer });
  try {
    const data = { from: 'sqlite', to: 'postgres', size };
    await ledger.commit({ entry: { kind: 'ledger.moved', actor: 'local:cli', data } });
  } finally {
    await ledger.close();
  }
}
