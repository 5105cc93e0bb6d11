import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { SecureContext } from 'node:tls';
import { type AskedAt, ask } from './ask.ts';
import type { ProbeRefusal, ProbeRequest } from './request.ts';
import { judge, type Verdict } from './verdict.ts';

export type { ProbeRefusal, ProbeRequest } from './request.ts';

export interface ProbeOptions {
  readonly request: ProbeRequest;
  /** Key, certificate, chain and roots of one version. */
  readonly secureContext: SecureContext;
  /** What the partner's profile lists as a refused certificate. */
  readonly refusals: readonly ProbeRefusal[];
  /** Every address of a name. Default: the system's resolver. */
  readonly resolve?: (name: string) => Promise<readonly string[]>;
}

/** What one address said. */
export interface Probed extends Verdict {
  readonly address: string;
  /** Milliseconds that it took. */
  readonly ms: number;
}

/** Of many addresses: accepted or refused when all say so, else inconclusive. */
export interface ProbeResult extends Verdict {
  readonly addresses: readonly Probed[];
}

/** Addresses that are asked at a time. */
const AT_ONCE = 16;
/** Of a name with more nothing is said: some would be left out. */
const MOST_ADDRESSES = 256;

/**
 * Shows a certificate to every address of the partner's host: a full handshake each, never a resumed one, then the
 * request. Never throws: whatever is not plainly an acceptance or a refusal is inconclusive.
 */
export async function probe({ request, secureContext, refusals, resolve }: ProbeOptions): Promise<ProbeResult> {
  const { name, port } = parted(request.host);
  const found = await addressesOf(name, resolve);
  if ('verdict' in found) return { ...found, addresses: [] };
  const addresses = await eachOf(found.addresses, async (address): Promise<Probed> => {
    const at: AskedAt = { address, name, port };
    const started = performance.now();
    const verdict = judge(await ask(request, at, secureContext), request, refusals);
    return { address, ms: Math.round(performance.now() - started), ...verdict };
  });
  return { ...together(addresses), addresses };
}

/** In their order, so many at a time. */
async function eachOf<T>(all: readonly string[], act: (one: string) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  const left = all.entries();
  const workers = Array.from({ length: Math.min(AT_ONCE, all.length) }, async () => {
    for (const [at, one] of left) results[at] = await act(one);
  });
  await Promise.all(workers);
  return results;
}

function together(addresses: readonly Probed[]): Verdict {
  const [first] = addresses;
  const different = addresses.find(({ verdict }) => verdict !== first?.verdict);
  if (first === undefined) return { verdict: 'inconclusive', cause: 'no_address', detail: 'The name has no address.' };
  if (different === undefined) return { verdict: first.verdict, cause: first.cause, detail: first.detail };
  const told = addresses.map(({ address, verdict }) => `${address} ${verdict}`).join(', ');
  return { verdict: 'inconclusive', cause: 'addresses_differ', detail: `The addresses do not agree: ${told}.` };
}

async function addressesOf(
  name: string,
  resolve: ProbeOptions['resolve'] = everyAddress,
): Promise<{ readonly addresses: readonly string[] } | Verdict> {
  if (isIP(name) !== 0) return { addresses: [name] };
  try {
    const addresses = [...new Set(await resolve(name))].toSorted();
    if (addresses.length > MOST_ADDRESSES) {
      const detail = `${name} has ${addresses.length} addresses, more than the ${MOST_ADDRESSES} that are asked.`;
      return { verdict: 'inconclusive', cause: 'too_many_addresses', detail };
    }
    if (addresses.length > 0) return { addresses };
    return { verdict: 'inconclusive', cause: 'no_address', detail: `${name} has no address.` };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    return { verdict: 'inconclusive', cause: 'no_address', detail: `${name} does not resolve (${code}).` };
  }
}

async function everyAddress(name: string): Promise<string[]> {
  return (await lookup(name, { all: true })).map(({ address }) => address);
}

/** `host:port`, `[::1]:443` included. */
function parted(host: string): { name: string; port: number } {
  const at = host.lastIndexOf(':');
  return { name: host.slice(0, at).replace(/^\[(.*)\]$/, '$1'), port: Number(host.slice(at + 1)) };
}
