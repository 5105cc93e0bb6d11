import type { Environment } from './environment.ts';

/**
 * `host:port` of an endpoint, lower-case ASCII: `api.leantech.me:443`, `[::1]:8443`.
 * Null, by a sentence that says why, for whatever is not plainly one https origin: user names, paths, wildcards,
 * addresses in disguise, ranges.
 */
export function readOrigin(text: string): { readonly host: string } | { readonly fault: string } {
  if (!URL.canParse(text)) return { fault: 'is not a URL' };
  const url = new URL(text);
  if (url.protocol !== 'https:') return { fault: 'must start with https://' };
  if (url.username !== '' || url.password !== '') return { fault: 'must not hold a user name or password' };
  if (url.pathname !== '/' || !/^https:\/\/[^/?#\\]+\/?$/i.test(text)) {
    return { fault: 'must be an origin alone, without path, query or fragment' };
  }
  const fault = faultOfHost(url.hostname, text);
  return fault === null ? { host: `${url.hostname}:${url.port === '' ? '443' : url.port}` } : { fault };
}

/** `host:port` of every endpoint, lower-case ASCII, each once: all that a client of this credential may call. */
export function hostsOf(environment: Environment): string[] {
  return [...new Set(environment.endpoints.map(({ host }) => host))];
}

/** What the URL parser made of the host must be what was written: `0x7f.1` or `①.example` would surprise a reader. */
function faultOfHost(host: string, text: string): string | null {
  const written = /^https:\/\/(\[[^\]]*\]|[^:/]*)/i.exec(text)?.[1]?.toLowerCase();
  if (written !== host) return 'must name its host in plain ASCII, as it stands in DNS (xn-- for other scripts)';
  if (host.startsWith('[')) return null;
  if (!/^[a-z0-9-]+(?:\.[a-z0-9-]+)*$/.test(host)) return 'must name one host: no wildcard, no dot at the end';
  return null;
}
