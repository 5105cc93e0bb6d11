import type { RequestOptions } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { isIP, type Socket } from 'node:net';
import { http } from '../io/http.ts';
import { codeOf } from '../io/node-code.ts';
import type { HttpProxy } from './proxy.ts';
import { connectionFailure, ProxyError, refusal, silence } from './proxy-error.ts';

/**
 * A connection through a proxy to a place behind it (RFC 9110 section 9.3.6), over which nothing was sent yet. Whoever
 * gets it speaks TLS through it with the place itself, so that the proxy sees name and port, and no more. The proxy's own
 * certificate, of an `https` one, is held against the authorities that Node knows.
 * @param ms until the way is open, in milliseconds.
 * @param signal gives it up until it is open.
 * @throws ProxyError.
 */
export function openTunnel(
  proxy: HttpProxy,
  { host, port }: { readonly host: string; readonly port: number },
  ms: number,
  signal: AbortSignal,
): Promise<Socket> {
  const place = `${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const options: RequestOptions = {
    host: proxy.host,
    port: proxy.port,
    method: 'CONNECT',
    path: place,
    headers: { Host: place, ...proxy.headers },
    agent: false,
  };
  // Node would take the name to hold the certificate against from the header, which names the place behind the proxy.
  const servername = isIP(proxy.host) === 0 ? proxy.host : '';
  const asked = proxy.secure ? tlsRequest({ ...options, servername, rejectUnauthorized: true }) : http.request(options);
  const givenUp = () =>
    fail(new ProxyError('lost', proxy, `was given up before it opened a way to ${place}`, 'Try again.'));
  const settled = () => {
    clearTimeout(timer);
    signal.removeEventListener('abort', givenUp);
  };
  const fail = (error: ProxyError) => {
    settled();
    reject(error);
    asked.destroy();
  };
  const timer = setTimeout(() => fail(silence(proxy, place)), ms);
  signal.addEventListener('abort', givenUp, { once: true });
  asked.on('error', (error) => fail(connectionFailure(codeOf(error), proxy, place)));
  asked.on('connect', ({ statusCode: status = 0 }, socket: Socket, head: Buffer) => {
    if (status < 200 || status > 299) {
      socket.destroy();
      fail(refusal(status, proxy, place));
      return;
    }
    settled();
    if (head.length > 0) {
      // Nobody behind it was asked anything, so this is the proxy's own.
      socket.destroy();
      fail(new ProxyError('no_proxy', proxy, 'sent more than an answer', `Correct ${proxy.source}.`));
      return;
    }
    resolve(socket);
  });
  asked.end();
  return promise;
}
