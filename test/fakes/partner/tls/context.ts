import { constants } from 'node:crypto';
import { DEFAULT_CIPHERS, type SecureContextOptions } from 'node:tls';
import { TLS13_SUITES } from './alert.ts';

export type TlsVersion = 'TLSv1.2' | 'TLSv1.3';

export interface ContextOptions {
  readonly key: string;
  readonly cert: string;
  /** Whom client certificates must come from. */
  readonly ca?: string;
  readonly crl?: readonly string[];
  /** This version alone; both without it. */
  readonly tls?: TlsVersion;
  /** True leaves Node's session tickets on. */
  readonly resumption: boolean;
}

/** What both API servers have in common. */
export function serverContext(options: ContextOptions): SecureContextOptions {
  const { key, cert, ca, crl, tls, resumption } = options;
  return {
    key,
    cert,
    ciphers: CIPHERS,
    minVersion: tls ?? 'TLSv1.2',
    maxVersion: tls ?? 'TLSv1.3',
    ...(ca === undefined ? {} : { ca }),
    ...(crl === undefined ? {} : { crl: [...crl] }),
    ...(resumption ? {} : { secureOptions: constants.SSL_OP_NO_TICKET }),
  };
}

const CIPHERS = DEFAULT_CIPHERS.split(':')
  .filter((name) => !name.startsWith('TLS_') || Object.hasOwn(TLS13_SUITES, name))
  .join(':');
