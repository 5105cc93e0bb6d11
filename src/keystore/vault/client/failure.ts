import type { HttpProxy } from '../../../core/egress/proxy.ts';
import { ProxyError, REASONS_OF_PROXIES, silence } from '../../../core/egress/proxy-error.ts';
import { codeOf, isCertificateCode } from '../../../core/io/node-code.ts';
import { type Reason, vaultError } from './reason.ts';

/** How far a request came: until it is connected, nothing of it has left. */
export type Progress = 'begun' | 'handed over' | 'connected';

interface Circumstances {
  readonly signal: AbortSignal;
  readonly progress: Progress;
  readonly proxy: HttpProxy | null;
  /** What was asked. */
  readonly url: URL;
}

/** What a connection failed with, made ours; what Node threw is dropped. */
export function failure(error: unknown, { signal, progress, proxy, url }: Circumstances): Error {
  if (error instanceof ProxyError) return proxyFailure(error);
  const place = url.host;
  const through = proxy === null ? '' : ` through the proxy ${proxy.origin}`;
  const named = proxy === null ? {} : { proxy: proxy.origin };
  if (signal.aborted) {
    if (proxy !== null && progress === 'begun') return proxyFailure(silence(proxy, withPort(place)));
    return vaultError('timeout', `Vault did not answer in time${through}.`, {
      ...named,
      fix: 'Check the network and the load of the server.',
    });
  }
  const code = codeOf(error);
  if (code === 'body_too_large') {
    return vaultError('not_vault', 'What answered sent more than Vault ever would.', { fix: 'Check the address.' });
  }
  if (isCertificateCode(code)) {
    const { says, fix } = certificateTrouble(error, code, place);
    return vaultError('tls', `${says} (${code})${through}.`, { ...named, fix });
  }
  const reason: Reason = progress === 'connected' ? 'lost' : 'unreachable';
  const says = reason === 'lost' ? 'The connection to Vault broke before it answered' : "Vault can't be reached";
  return vaultError(reason, `${says} (${code})${through}.`, { ...named, fix: connectionFix(code, url) });
}

function proxyFailure({ failure: what, message, fix, proxy }: ProxyError): Error {
  return vaultError(REASONS_OF_PROXIES[what], message, { fix, proxy: proxy.origin });
}

/** A URL leaves out the port of its scheme. */
function withPort(place: string): string {
  return /:\d+$/.test(place) ? place : `${place}:443`;
}

function connectionFix(code: string, { host: place, hostname, origin, protocol }: URL): string {
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
    return `The name does not resolve: correct the address, or see what DNS says: getent hosts ${hostname}`;
  }
  if (code === 'ECONNREFUSED') {
    return `Nobody listens at ${place}: correct host and port of the address, or start the server.`;
  }
  const curl = protocol === 'https:' ? `curl -kv https://${withPort(place)}` : `curl -v ${origin}`;
  return `Check the address, the network and that the server runs: ${curl}/v1/sys/health`;
}

/** What is wrong with the handshake, and what mends it; what the server wrote is told where it is plain names. */
function certificateTrouble(error: unknown, code: string, place: string): { says: string; fix: string } {
  const refused = 'The certificate of Vault is refused';
  if (code === 'CERT_HAS_EXPIRED') {
    const fix = "Renew the server's certificate, and let it load the new one: kill -HUP its process.";
    return { says: refused, fix };
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    const { names, asked } = namesOf(error);
    const says = names.length === 0 ? refused : `The certificate of Vault is for ${names.join(', ')}, not for ${asked}`;
    return {
      says,
      fix: 'Use a name of the certificate in the address, or set tls.server-name or BAO_TLS_SERVER_NAME to one.',
    };
  }
  if (/^ERR_SSL_(?:WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG)$/.test(code) || code === 'EPROTO') {
    const says = `What listens at ${place} does not speak TLS, or not ours`;
    return { says, fix: `See what it speaks: openssl s_client -connect ${withPort(place)} </dev/null` };
  }
  if (code.startsWith('ERR_SSL_')) {
    const fix =
      'Where its listener asks for a client certificate: tls.certificate and tls.key in keyturn.yaml, of a CA that it knows.';
    return { says: 'Vault and Keyturn agree on no TLS', fix };
  }
  const fix = "Name the CA that issued the server's certificate: tls.ca in keyturn.yaml, BAO_CACERT or VAULT_CACERT.";
  return { says: refused, fix };
}

const MAX_NAMES = 5;

function namesOf(error: unknown): { names: string[]; asked: string } {
  const asked = error instanceof Error && 'host' in error && typeof error.host === 'string' ? error.host : '';
  const cert: unknown = error instanceof Error && 'cert' in error ? error.cert : null;
  const listed = typeof cert === 'object' && cert !== null && 'subjectaltname' in cert ? cert.subjectaltname : '';
  const names = (typeof listed === 'string' ? listed : '')
    .split(', ')
    .flatMap((entry) => /^(?:DNS|IP Address):([\w.*:-]{1,100})$/.exec(entry)?.[1] ?? []);
  return /^[\w.:-]{1,253}$/.test(asked) ? { names: names.slice(0, MAX_NAMES), asked } : { names: [], asked: '' };
}
