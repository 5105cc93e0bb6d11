import { readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { isIP } from 'node:net';
import { type ConnectionOptions, checkServerIdentity } from 'node:tls';
import { type ClientConfig, types } from 'pg';
import { KeyturnError } from '../../../core/errors.ts';
import { DEFAULT_PORT, type PostgresPlace, schemaOf } from './place.ts';

/** OID of int8. */
const INT8 = 20;
const MAX_PASSWORD_BYTES = 1000;

/** What this kind of connection may do and how long it may take, as settings of its session. */
export interface SessionSettings {
  readonly statement_timeout: number;
  readonly lock_timeout?: number;
  readonly idle_in_transaction_session_timeout?: number;
  readonly default_transaction_read_only?: 'on';
}

/** @throws KeyturnError `config_invalid` for a CA file that can't be read. */
export function clientConfig(place: PostgresPlace, settings: SessionSettings, connectMs: number): ClientConfig {
  const { host, port = DEFAULT_PORT, database, user, passwordFile } = place;
  const tls = tlsOptions(place);
  const all = { search_path: `"${schemaOf(place)}"`, tcp_keepalives_idle: 10, tcp_keepalives_interval: 5, ...settings };
  return {
    host,
    port,
    database,
    user,
    application_name: 'keyturn',
    // Known to the server before the first statement, so none runs without them.
    options: Object.entries(all)
      .map(([name, value]) => `-c ${name}=${value}`)
      .join(' '),
    connectionTimeoutMillis: connectMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    types: { getTypeParser },
    ...(passwordFile === undefined ? {} : { password: () => readPassword(passwordFile) }),
    ...(tls === undefined ? {} : { ssl: tls }),
  };
}

/** Sizes, times and indexes are safe integers; as text they would not compare. */
const getTypeParser: typeof types.getTypeParser = (oid: number, format?: 'text' | 'binary') =>
  oid === INT8 ? Number : format === 'binary' ? types.getTypeParser(oid, 'binary') : types.getTypeParser(oid, 'text');

/**
 * Chain and name of the server are verified whenever the connection leaves this machine. On this machine TLS is used
 * when a CA is given; else PGSSLMODE decides.
 */
function tlsOptions({ host, ca }: PostgresPlace): ConnectionOptions | undefined {
  if (ca === undefined && isLocal(host)) return undefined;
  return {
    ...(ca === undefined ? {} : { ca: readCa(ca) }),
    minVersion: 'TLSv1.2',
    rejectUnauthorized: true,
    // For an address no server name is sent, and without one the name that is checked would be another.
    ...(isIP(host) === 0 ? { servername: host } : {}),
    checkServerIdentity: (_, certificate) => checkServerIdentity(host, certificate),
  };
}

function isLocal(host: string): boolean {
  return (
    host.startsWith('/') || host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
  );
}

function readCa(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch {
    throw new KeyturnError('config_invalid', `The CA file of the database, ${path}, can't be read.`, {
      fix: 'Put it back, or correct ledger.postgres.ca.',
    });
  }
}

/** A string, because the driver takes no other; it opens the database, never a key. */
async function readPassword(path: string): Promise<string> {
  try {
    await using file = await open(path, 'r');
    const { mode, size } = await file.stat();
    if ((mode & 0o077) === 0 && size <= MAX_PASSWORD_BYTES) return (await file.readFile('utf8')).replace(/\r?\n$/, '');
  } catch {
    throw unusable(path, "can't be read");
  }
  throw unusable(path, 'can be used by others, or is too long');
}

function unusable(path: string, why: string): KeyturnError {
  return new KeyturnError('config_invalid', `The database’s password file ${path} ${why}.`, {
    fix: `Put the password alone into it and run: chmod 600 ${path}`,
  });
}
