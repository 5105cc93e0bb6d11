import { BlockList, isIP } from 'node:net';

/** A loopback address is never behind a proxy. `host` without the brackets of IPv6. */
export function isLoopback(host: string): boolean {
  return host.toLowerCase() === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

/**
 * Whether NO_PROXY names this place, by the rules of Go's clients, which Vault's own, OpenBao's and most of a platform's
 * are: `*`; an address or a network (`10.0.0.0/8`); `example.com` with all below it; `.example.com` or `*.example.com`
 * below it alone; each but a network with a port behind it, or without. `host` without the brackets of IPv6.
 */
export function isExempt(noProxy: string, host: string, port: number): boolean {
  const name = host.toLowerCase().replace(/\.$/, '');
  return noProxy
    .split(',')
    .map((entry) => entry.trim().toLowerCase())
    .some((entry) => entry !== '' && names(entry, name, port));
}

function names(entry: string, host: string, port: number): boolean {
  if (entry === '*') return true;
  if (entry.includes('/')) return isWithin(entry, host);
  const { name, port: only } = divided(entry);
  if (only !== null && only !== port) return false;
  if (isIP(name) !== 0) return isIP(host) !== 0 && isSameAddress(name, host);
  const below = name.replace(/^\*\./, '.');
  if (below.startsWith('.')) return host.endsWith(below);
  return host === below || host.endsWith(`.${below}`);
}

/** `name`, `name:443`, `[::1]:443`; a bare address of IPv6 has no port. */
function divided(entry: string): { readonly name: string; readonly port: number | null } {
  const [, bracketed, behind] = /^\[([^\]]+)\](?::(\d+))?$/.exec(entry) ?? [];
  if (bracketed !== undefined) return { name: bracketed, port: behind === undefined ? null : Number(behind) };
  const [, name, port] = /^([^:]*):(\d+)$/.exec(entry) ?? [];
  return name === undefined ? { name: entry, port: null } : { name, port: Number(port) };
}

function isWithin(network: string, host: string): boolean {
  const [address = '', bits = ''] = network.split('/');
  const family = isIP(address);
  if (family === 0 || isIP(host) === 0 || !/^\d{1,3}$/.test(bits) || Number(bits) > (family === 4 ? 32 : 128)) {
    return false;
  }
  const list = new BlockList();
  list.addSubnet(address, Number(bits), family === 4 ? 'ipv4' : 'ipv6');
  return list.check(host, isIP(host) === 4 ? 'ipv4' : 'ipv6');
}

function isSameAddress(one: string, other: string): boolean {
  return isWithin(`${one}/${isIP(one) === 4 ? 32 : 128}`, other);
}
