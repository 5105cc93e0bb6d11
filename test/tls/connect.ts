import { once } from 'node:events';
import type { Server } from 'node:https';
import { type AddressInfo, connect as connectTcp, type Socket } from 'node:net';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';

export async function listening(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

export async function stopped(server: Server): Promise<void> {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
}

export async function connected(port: number, options: ConnectionOptions): Promise<TLSSocket> {
  const socket = connect({ port, host: '127.0.0.1', ...options });
  await once(socket, 'secureConnect');
  return socket;
}

export async function connectedTcp(port: number): Promise<Socket> {
  const socket = connectTcp(port, '127.0.0.1');
  await once(socket, 'connect');
  return socket;
}

export interface Exchange {
  /** Everything the server sent. */
  readonly answer: string;
  readonly reused: boolean;
  /** The newest session that the server offered. */
  readonly session: Buffer | undefined;
}

/** One connection, one request with `Connection: close`, read to the end. */
export async function exchange(port: number, options: ConnectionOptions): Promise<Exchange> {
  const socket = await connected(port, options);
  const reused = socket.isSessionReused();
  let session = socket.getSession();
  socket.on('session', (offered) => {
    session = offered;
  });
  socket.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  const chunks: Buffer[] = await socket.toArray();
  return {
    answer: Buffer.concat(chunks).toString('utf8'),
    reused,
    session,
  };
}
