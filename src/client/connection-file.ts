import { X509Certificate } from 'node:crypto';
import { LogVerifier } from '../audit/checkpoint.ts';
import { isError, KeyturnError } from '../core/errors.ts';
import { readAtMost } from '../core/io/read-at-most.ts';

/** What `keyturn token create` writes: where Keyturn is and what to pin. Holds no secret; the token is a file apart. */
export interface ConnectionFile {
  /** Version of the format. */
  readonly keyturn: 1;
  /** `https://host[:port]`, tried in this order; one that gave no answer comes last for a minute. */
  readonly servers: readonly string[];
  /** PEM: the roots that the servers' certificates must come from. No other root is trusted. */
  readonly ca: string;
  /** The audit log that receipts must come from: its origin and its verifier keys (C2SP signed-note). */
  readonly log: { readonly origin: string; readonly keys: readonly string[] };
}

/** A connection file after every check. */
export interface Connection {
  readonly servers: readonly URL[];
  readonly ca: string;
  readonly log: LogVerifier;
}

const MAX_OCTETS = 262_144;
const MAX_SERVERS = 16;
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g;

/**
 * Reads a connection file strictly: no unknown member, nothing optional.
 * @param source a path, or the content itself.
 * @throws KeyturnError `connection_file_invalid`.
 */
export async function readConnection(source: string | ConnectionFile): Promise<Connection> {
  return parseConnection(typeof source === 'string' ? await readJson(source) : source);
}

async function readJson(path: string): Promise<unknown> {
  const octets = await readAtMost(path, MAX_OCTETS).catch((error: unknown) => {
    const reason = isError(error) && 'code' in error ? String(error.code) : 'unknown';
    throw invalid(`${path} can't be read (${reason})`);
  });
  if (octets === null) throw invalid(`${path} is longer than ${MAX_OCTETS} octets`);
  try {
    return JSON.parse(octets.toString('utf8'));
  } catch {
    // The parser's message quotes its input; it stays here.
    throw invalid(`${path} is not JSON`);
  }
}

/** @throws KeyturnError `connection_file_invalid`. */
export function parseConnection(value: unknown): Connection {
  const file = members(value, ['ca', 'keyturn', 'log', 'servers'], 'the file');
  if (file['keyturn'] !== 1) throw invalid('its version ("keyturn") is not 1, the only one this library knows');
  const log = members(file['log'], ['keys', 'origin'], '"log"');
  return { servers: parseServers(file['servers']), ca: parseRoots(file['ca']), log: parseLog(log) };
}

function members(value: unknown, names: readonly string[], where: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(`${where} is not an object`);
  const found = Object.keys(value).sort();
  if (found.join() !== names.join()) throw invalid(`${where} must have exactly the members ${names.join(', ')}`);
  return Object.fromEntries(Object.entries(value));
}

function parseServers(value: unknown): URL[] {
  const texts = strings(value, '"servers"');
  if (texts.length > MAX_SERVERS) throw invalid(`"servers" lists more than ${MAX_SERVERS}`);
  return texts.map((text, at) => {
    const url = URL.parse(text);
    const bare = url !== null && url.username === '' && url.password === '' && url.search === '' && url.hash === '';
    if (url?.protocol === 'https:' && bare && url.pathname === '/') return url;
    throw invalid(`"servers"[${at}] is not https://host or https://host:port`);
  });
}

function parseRoots(value: unknown): string {
  if (typeof value !== 'string') throw invalid('"ca" is not a text');
  const blocks = value.match(CERTIFICATE) ?? [];
  if (blocks.length === 0 || value.replace(CERTIFICATE, '').trim() !== '') {
    throw invalid('"ca" is not a list of PEM certificates and nothing else');
  }
  try {
    for (const block of blocks) new X509Certificate(block);
  } catch {
    throw invalid('"ca" holds a certificate that can\'t be read');
  }
  return value;
}

function parseLog(log: Readonly<Record<string, unknown>>): LogVerifier {
  const { origin } = log;
  if (typeof origin !== 'string') throw invalid('"log.origin" is not a text');
  const keys = strings(log['keys'], '"log.keys"');
  try {
    return new LogVerifier({ origin, keys });
  } catch {
    throw invalid('"log.keys" are not verifier keys of "log.origin"');
  }
}

function strings(value: unknown, where: string): string[] {
  const texts = Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : [];
  if (!Array.isArray(value) || texts.length === 0 || texts.length !== value.length) {
    throw invalid(`${where} is not a list of texts with at least one`);
  }
  return texts;
}

function invalid(what: string): KeyturnError {
  return new KeyturnError('connection_file_invalid', `The connection file is refused: ${what}.`, {
    fix: 'Write a new one with `keyturn token create`, and pass its path as `connection`.',
  });
}
