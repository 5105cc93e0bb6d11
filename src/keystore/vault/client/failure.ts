import type { HttpProxy } from '../../../core/egress/proxy.ts';
import { ProxyError, type ProxyFailure, silence } from '../../../core/egress/proxy-error.ts';
import { type Reason, vaultError } from './reason.ts';

/** How far a request came: until it is connected, nothing of it has left. */
export type Progress = 'begun' | 'handed over' | 'connected';

interface Circumstances {
  readonly signal: AbortSignal;
  readonly progress: Progress;
  readonly proxy: HttpProxy | null;
  /** Host and port of the server. */
  readonly place: string;
}

/** What a connection failed with, made ours; what Node threw is dropped. */
export function failure(error: unknown, { signal, progress, proxy, place }: Circumstances): Error {
  if (error instanceof ProxyError) return proxyFailure(error);
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
    const fix = certificateFix(code);
    return vaultError('tls', `The certificate of Vault is refused (${code})${through}.`, { ...named, fix });
  }
  const reason: Reason = progress === 'connected' ? 'lost' : 'unreachable';
  const says = reason === 'lost' ? 'The connection to Vault broke before it answered' : "Vault can't be reached";
  return vaultError(reason, `${says} (${code})${through}.`, { ...named, fix: connectionFix(code) });
}

/** A refusal stays one when it is repeated, and locks accounts; whatever else a proxy meets may pass. */
const REASONS: Readonly<Record<ProxyFailure, Reason>> = {
  unreachable: 'unreachable',
  lost: 'unreachable',
  timeout: 'unreachable',
  elsewhere: 'unreachable',
  refused: 'proxy',
  no_proxy: 'proxy',
  tls: 'tls',
};

function proxyFailure({ failure: what, message, fix, proxy }: ProxyError): Error {
  return vaultError(REASONS[what], message, { fix, proxy: proxy.origin });
}

/** A URL leaves out the port of its scheme. */
function withPort(place: string): string {
  return /:\d+$/.test(place) ? place : `${place}:443`;
}

function connectionFix(code: string): string {
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
    return 'The name does not resolve: correct the address, or see what DNS says: getent hosts NAME.';
  }
  if (code === 'ECONNREFUSED')
    return 'Nobody listens there: correct host and port of the address, or start the server.';
  return 'Check the address, the network and that the server runs.';
}

function codeOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  return typeof code === 'string' && /^[A-Za-z0-9_]{1,60}$/.test(code) ? code : 'unknown';
}

function isCertificateCode(code: string): boolean {
  return /^(?:CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|ERR_TLS_CERT_|ERR_SSL_|INVALID_CA|HOSTNAME_MISMATCH|EPROTO)/.test(
    code,
  );
}

function certificateFix(code: string): string {
  if (code === 'CERT_HAS_EXPIRED')
    return "Renew the server's certificate, and let it load the new one: kill -HUP its process.";
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return 'Use a name of the certificate, or set tls.server-name.';
  if (code.startsWith('ERR_SSL_') || code === 'EPROTO')
    return 'Check that the address speaks TLS, and our certificate.';
  return "Name the CA that issued the server's certificate: tls.ca in keyturn.yaml, BAO_CACERT or VAULT_CACERT.";
}
