import type { Server } from 'node:https';
import { type AddressInfo, isIPv6 } from 'node:net';
import { KeyturnError } from '../core/errors.ts';

/** Where a listener is to be; `port` 0 takes any that is free. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/**
 * @returns the port.
 * @throws KeyturnError `config_invalid`, by members of the configuration.
 */
export function listen(server: Server, { host, port }: ListenAddress): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const place = `${isIPv6(host) ? `[${host}]` : host}:${port}`;
      const { why, fix } = FAULTS[error.code ?? ''] ?? { why: error.code ?? 'unknown', fix: OTHER_ADDRESS };
      reject(new KeyturnError('config_invalid', `Cannot listen on ${place}: ${why}.`, { fix }));
    });
    server.listen(port, host, () => resolve((server.address() as AddressInfo).port));
  });
}

const OTHER_ADDRESS =
  'Correct listen.host in keyturn.yaml: 127.0.0.1, 0.0.0.0, ::, or an address of this machine; the port is listen.port.';
const NO_NAME = { why: 'that name has no address', fix: OTHER_ADDRESS };

/** By the system's code: why not there, and what to do. */
const FAULTS: Readonly<Record<string, { readonly why: string; readonly fix: string }>> = {
  EADDRINUSE: {
    why: 'another process listens there',
    fix: 'Stop that process, or choose another port with listen.port in keyturn.yaml.',
  },
  EACCES: {
    why: 'this user may not',
    fix: 'Choose a port from 1024 on with listen.port in keyturn.yaml, or let this user have lower ones.',
  },
  EADDRNOTAVAIL: { why: 'this machine has no such address', fix: OTHER_ADDRESS },
  EAFNOSUPPORT: { why: 'this machine has no addresses of that kind', fix: OTHER_ADDRESS },
  ENOTFOUND: NO_NAME,
  EAI_AGAIN: NO_NAME,
};
