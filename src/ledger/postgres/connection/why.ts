import { isNativeError } from 'node:util/types';
import { DatabaseError } from 'pg';
import { describe } from '../database/fault.ts';
import { nameOf, type PostgresPlace, quoted } from './place.ts';

/** What a database that can't be connected to has to do with, for people. */
export interface WhyNot {
  readonly says: string;
  /** A command or a sentence. */
  readonly fix: string;
}

type Reason = readonly [says: string, fix: string];

/** Why there was no connection, as far as the error tells; the error's own words stand in brackets. */
export function whyNotConnected(place: PostgresPlace, error: unknown): WhyNot {
  const [says, fix] = reason(place, error);
  return { says: `${says} [${describe(error)}]`, fix };
}

function reason(place: PostgresPlace, error: unknown): Reason {
  if (error instanceof DatabaseError) return ofDatabase(place, error) ?? unknown(place);
  const code = isNativeError(error) && 'code' in error ? String(error.code) : '';
  const message = isNativeError(error) ? error.message : '';
  return ofTls(place, code, message) ?? ofDriver(place, message) ?? ofNetwork(place, code, message) ?? unknown(place);
}

function unknown(place: PostgresPlace): Reason {
  return [
    `${nameOf(place)} gives no connection`,
    'Look whether the database runs, and whether host, port, database, user, password-file and ca are right.',
  ];
}

/** PostgreSQL, appendix A: SQLSTATE. */
function ofDatabase(place: PostgresPlace, error: DatabaseError): Reason | null {
  const { code, message } = error;
  const [role, database] = [quoted(place.user), quoted(place.database)];
  switch (code) {
    case '28P01':
      return [
        `the password of ${place.user} is wrong, or there is no such role`,
        `${passwordPlace(place)}, or set it anew in psql: \\password ${place.user}`,
      ];
    case '28000':
      return ofAuthorization(place, message);
    case '3D000':
      return [
        `there is no database ${place.database}`,
        `CREATE DATABASE ${database} OWNER ${role} ENCODING 'UTF8' TEMPLATE template0;`,
      ];
    case '42501':
      return ofRights(place, error);
    case '53300':
      return [
        'all connections are taken',
        'ALTER SYSTEM SET max_connections = 200; then restart PostgreSQL (and look at the limits of the role and the database).',
      ];
    case '57P03':
      return ['the server starts, stops or takes no connections yet', 'Wait a moment, then look at its log.'];
    default:
      return null;
  }
}

/** Words of SQL stand in every language of the server: the detail names CONNECT when there is no connection. */
function ofRights(place: PostgresPlace, { message, detail = '' }: DatabaseError): Reason {
  const { user, database } = place;
  const grant = (right: string) => `GRANT ${right} ON DATABASE ${quoted(database)} TO ${quoted(user)};`;
  if (detail.includes('CONNECT')) return [`${user} may not connect to ${database}`, grant('CONNECT')];
  if (message.includes(` ${database}`)) return [`${user} may not make a schema in ${database}`, grant('CREATE')];
  return [`${user} lacks a right in ${database}`, 'keyturn doctor names each right that is missing, with its GRANT.'];
}

/** The message alone tells which line of pg_hba.conf is meant: the code is one for all of them. */
function ofAuthorization(place: PostgresPlace, message: string): Reason {
  const { user, database } = place;
  if (/role ".*" does not exist/.test(message)) {
    return [`there is no role ${user}`, `CREATE ROLE ${quoted(user)} LOGIN; then in psql: \\password ${user}`];
  }
  if (/not permitted to log in/.test(message)) return [`${user} may not log in`, `ALTER ROLE ${quoted(user)} LOGIN;`];
  if (/client certificate/.test(message)) {
    return [
      'the server wants a client certificate, which Keyturn does not send it',
      `Let it ask for a password, in pg_hba.conf: hostssl ${database} ${user} ADDRESS/32 scram-sha-256`,
    ];
  }
  if (/no encryption|SSL off/.test(message)) {
    return [
      'the server takes no connection without TLS from here, and this one had none',
      'Give the roots of its certificate as ledger.postgres.ca: then TLS is used.',
    ];
  }
  return [
    `pg_hba.conf of the server lets ${user} not into ${database} from here`,
    `Add to pg_hba.conf: hostssl ${database} ${user} ADDRESS/32 scram-sha-256; then SELECT pg_reload_conf();`,
  ];
}

/** What Node's verification of a certificate is about, by its error code. */
const UNTRUSTED = /^(?:SELF_SIGNED|DEPTH_ZERO|UNABLE_TO_|CERT_UNTRUSTED|CERT_SIGNATURE_FAILURE|INVALID_CA)/;

function ofTls(place: PostgresPlace, code: string, message: string): Reason | null {
  const { host, port = 5432, ca } = place;
  const show = `openssl s_client -starttls postgres -showcerts -connect ${host}:${port}`;
  if (message.includes('does not support SSL')) {
    return [
      'the server has no TLS, and it is required here',
      'ALTER SYSTEM SET ssl = on; with ssl_cert_file and ssl_key_file in place, then SELECT pg_reload_conf(); (only for a host on this machine TLS may be left off: take ca away).',
    ];
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return [
      `the server’s certificate is not for ${host}`,
      `Name the host as its certificate does, or have one made for ${host}. To see it: ${show}`,
    ];
  }
  if (UNTRUSTED.test(code)) {
    const roots = ca === undefined ? 'the roots that Node ships; no ca is given' : ca;
    return [
      `the server’s certificate does not lead to a trusted root (${roots})`,
      `Put the root of its certificate into a file and name it as ledger.postgres.ca. To see the chain: ${show}`,
    ];
  }
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID') {
    return [
      'the server’s certificate is not valid now',
      `Renew it, and look at this machine’s clock. To see it: ${show}`,
    ];
  }
  if (code === 'EPROTO' || code.startsWith('ERR_SSL_')) {
    return [
      'the TLS handshake failed',
      `Both sides need TLS 1.2 or newer (ssl_min_protocol_version). To see it: ${show}`,
    ];
  }
  return null;
}

/** pg says these in words alone. */
function ofDriver(place: PostgresPlace, message: string): Reason | null {
  if (!message.startsWith('SASL')) return null;
  return [
    `the server wants a password of ${place.user}, and there is none`,
    place.passwordFile === undefined
      ? 'Put it alone into a file of mode 0600 and name that as ledger.postgres.password-file.'
      : `${passwordPlace(place)}.`,
  ];
}

function passwordPlace({ passwordFile }: PostgresPlace): string {
  return passwordFile === undefined
    ? 'Name the right one as ledger.postgres.password-file'
    : `Put the right one into ${passwordFile}`;
}

function ofNetwork(place: PostgresPlace, code: string, message: string): Reason | null {
  const { host, port = 5432 } = place;
  const there = host.startsWith('/') ? `${host}/.s.PGSQL.${port}` : `${host}:${port}`;
  if (code === 'ECONNREFUSED' || code === 'ENOENT') {
    return [
      `nobody listens on ${there}`,
      "Start PostgreSQL there (systemctl start postgresql); or let it listen: ALTER SYSTEM SET listen_addresses = '*'; or correct host and port.",
    ];
  }
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
    return [`the name ${host} is not known`, `Correct host, or mend the name service. To see it: getent hosts ${host}`];
  }
  if (/timeout/i.test(message) || ['ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH'].includes(code)) {
    return [`${there} does not answer`, `Look at firewalls and routes between here and there: nc -vz ${host} ${port}`];
  }
  if (code === 'ECONNRESET' || message.includes('terminated')) {
    return [
      `whoever listens on ${there} ended the connection`,
      'Look at the server’s log, and whether a proxy or another program has this port.',
    ];
  }
  return null;
}
