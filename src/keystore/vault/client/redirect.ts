import { vaultError } from './reason.ts';

/**
 * Where a standby sends us: the same path on an origin of the list, else nowhere. The token goes with the request,
 * so a `Location` that somebody else wrote must lead nowhere.
 * @throws KeyturnError `redirected`; nothing has happened.
 */
export function redirectTarget(location: string | undefined, from: URL, origins: ReadonlySet<string>): URL {
  const target = location !== undefined && URL.canParse(location, from.href) ? new URL(location, from) : null;
  if (target !== null && origins.has(target.origin) && samePlace(target, from)) return target;
  const origin = target === null ? 'nowhere' : target.origin;
  throw vaultError('redirected', `Vault redirects to ${printable(origin)}, which is not followed.`, {
    fix: 'If that is a node of this cluster, add its origin to follow-to; else find out who answers at the address.',
  });
}

function samePlace(target: URL, from: URL): boolean {
  return target.pathname === from.pathname && target.search === from.search && target.username === '';
}

function printable(origin: string): string {
  return /^[\x21-\x7e]{1,200}$/.test(origin) ? origin : 'a place without a name';
}
