import { bareHost } from './place.ts';
import type { HttpProxy } from './proxy.ts';

/**
 * What a proxy did instead of opening the way: it is not there, or broke off, or did not answer in time; it refuses us or
 * the place; it can't reach the place; its own certificate is refused; it is no proxy.
 */
export type ProxyFailure = 'unreachable' | 'lost' | 'timeout' | 'refused' | 'elsewhere' | 'tls' | 'no_proxy';

/**
 * The same as adapters tell it. A refusal stays one when it is repeated, and locks accounts; whatever else a proxy meets
 * may pass.
 */
export const REASONS_OF_PROXIES = {
  unreachable: 'unreachable',
  lost: 'unreachable',
  timeout: 'unreachable',
  elsewhere: 'unreachable',
  refused: 'proxy',
  no_proxy: 'proxy',
  tls: 'tls',
} as const satisfies Readonly<Record<ProxyFailure, string>>;

/** Nothing of what was to be sent has left: not one octet went to the place behind the proxy. */
export class ProxyError extends Error {
  readonly failure: ProxyFailure;
  readonly proxy: HttpProxy;
  /** What to do next. */
  readonly fix: string;
  /** As Node's own errors have it, so that whoever repeats by code does. */
  readonly code: string;

  constructor(failure: ProxyFailure, proxy: HttpProxy, says: string, fix: string, code: string = CODES[failure]) {
    super(`The proxy ${proxy.origin} (${proxy.source}) ${says}.`);
    this.name = 'ProxyError';
    this.failure = failure;
    this.proxy = proxy;
    this.fix = fix;
    this.code = code;
  }
}

const CODES: Readonly<Record<ProxyFailure, string>> = {
  unreachable: 'ECONNREFUSED',
  lost: 'ECONNRESET',
  timeout: 'ETIMEDOUT',
  refused: 'PROXY_REFUSED',
  elsewhere: 'EHOSTUNREACH',
  tls: 'PROXY_TLS',
  no_proxy: 'PROXY_UNKNOWN',
};

/** Of a failed connection to the proxy itself. `code`: as Node names it. */
export function connectionFailure(code: string, proxy: HttpProxy, place: string): ProxyError {
  const { source, secure } = proxy;
  if (/^(?:ECONNRESET|EPIPE)$/.test(code)) {
    const fix = `See the proxy's log, and what it says of: ${tryIt(proxy, place)}`;
    return new ProxyError('lost', proxy, `broke off when it was asked for ${place} (${code})`, fix, code);
  }
  if (code.startsWith('HPE_')) {
    const fix = `Correct ${source}: host and port of an HTTP proxy.`;
    return new ProxyError('no_proxy', proxy, `does not speak HTTP (${code})`, fix);
  }
  if (secure && TLS.test(code)) return tlsFailure(code, proxy);
  const fix = `Correct ${source}, or have the proxy run. ${pastIt(proxy, place)}`;
  return new ProxyError('unreachable', proxy, `can't be reached (${code})`, fix, code);
}

/** What Node names a handshake that failed by, or a certificate that was refused. */
const TLS =
  /^(?:EPROTO|ERR_SSL_|ERR_TLS_|CERT_|CRL_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|INVALID_|HOSTNAME_|PATH_LENGTH_)/;

function tlsFailure(code: string, proxy: HttpProxy): ProxyError {
  const { source, origin } = proxy;
  if (/^(?:EPROTO|ERR_SSL_)/.test(code)) {
    const fix = `Most proxies are spoken to in plain, though what is sent through them is not: ${origin.replace('https:', 'http:')} in ${source}.`;
    return new ProxyError('tls', proxy, `does not speak TLS (${code})`, fix);
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    const fix = `Name it in ${source} as its certificate does: openssl s_client -connect ${addressOf(proxy)} </dev/null`;
    return new ProxyError('tls', proxy, `has a certificate of another name (${code})`, fix);
  }
  const fix =
    "Name its CA in NODE_EXTRA_CA_CERTS of the server's environment; the CA of what lies behind it does not count here.";
  return new ProxyError('tls', proxy, `has a certificate that is refused (${code})`, fix);
}

/** Of an answer to CONNECT that opens nothing (RFC 9110 section 9.3.6). */
export function refusal(status: number, proxy: HttpProxy, place: string): ProxyError {
  const { source, identified } = proxy;
  const trial = tryIt(proxy, place);
  if (status === 407) {
    const says = identified ? 'does not accept user and password' : 'wants a user and password';
    const fix = `Write them into ${source}: http://USER:PASSWORD@${addressOf(proxy)}, percent-encoded. Other logins than Basic are not spoken.`;
    return new ProxyError('refused', proxy, `${says} (HTTP 407)`, fix);
  }
  if (status === 502 || status === 503 || status === 504) {
    const fix = `Check that address, and whether the proxy may go there: ${trial}. ${pastIt(proxy, place)}`;
    return new ProxyError('elsewhere', proxy, `can't reach ${place} (HTTP ${status})`, fix);
  }
  const fix = `Have the proxy allow CONNECT ${place}; what it says: ${trial}. ${pastIt(proxy, place)}`;
  return new ProxyError('refused', proxy, `refuses the way to ${place} (HTTP ${status})`, fix);
}

export function silence(proxy: HttpProxy, place: string): ProxyError {
  const fix = `See the proxy's log, and what it says of: ${tryIt(proxy, place)}. ${pastIt(proxy, place)}`;
  return new ProxyError('timeout', proxy, `opened no way to ${place} in time`, fix);
}

function addressOf({ host, port }: HttpProxy): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** With a user curl asks for the password. */
function tryIt({ origin, identified }: HttpProxy, place: string): string {
  return `curl -v -x ${origin}${identified ? ' -U USER' : ''} https://${place}`;
}

function pastIt({ exempting, source }: HttpProxy, place: string): string {
  if (!exempting) return `Without the proxy: unset ${source}.`;
  const host = bareHost(place.replace(/:\d+$/, ''));
  return `Without the proxy: export NO_PROXY="\${NO_PROXY:-$no_proxy},${host}"`;
}
