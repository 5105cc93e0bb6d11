import type { KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { LogSigner } from '../audit/checkpoint.ts';
import { KeyturnError } from '../core/errors.ts';
import type { ConnectionFacts } from '../server/routes/tokens.ts';
import type { Config } from './config.ts';

/** What clients of this instance need to know: where it is and what to pin. `port` when it was chosen at listening. */
export async function connectionFacts(config: Config, logKey: KeyObject, port?: number): Promise<ConnectionFacts> {
  const path = 'ca' in config.certificate ? config.certificate.ca : config.certificate.clientCa;
  let ca: string;
  try {
    ca = await readFile(path, 'utf8');
  } catch {
    throw new KeyturnError('config_invalid', `The CA certificate ${path} can't be read.`, { fix: 'Put it back.' });
  }
  const first = config.listen.names[0] ?? 'localhost';
  const host = first.includes(':') ? `[${first}]` : first;
  return {
    servers: config.urls ?? [`https://${host}:${port ?? config.listen.port}`],
    ca,
    log: { origin: config.origin, keys: [LogSigner.create(config.origin, logKey).vkey] },
  };
}
