import { attention, type Check } from '../check.ts';
import type { Egress, Environment } from './egress.ts';
import { portOf } from './place.ts';

/** For doctor: the way to a place, where a proxy has to do with it. */
export function sayingWay(egress: Egress, url: URL): string[] {
  if (url.protocol !== 'https:') return [];
  const way = egress.wayTo(url.hostname, portOf(url));
  if (way.proxy !== null) {
    const { origin, source, identified } = way.proxy;
    const login = identified ? ', with a user or password' : '';
    return [`proxy ${origin} (${source} of this shell; the server has its own)${login}`];
  }
  if (way.spared === null) return [];
  const why = way.spared.by === 'loopback' ? 'a loopback address' : 'NO_PROXY names the address';
  return [`past the proxy of ${way.spared.proxy.source}: ${why}`];
}

/** Of two variables for one thing that say different things, only one is heard. A proxy's may hold a password. */
export function hiddenProxy(environment: Environment): Check[] {
  return ['HTTPS_PROXY', 'NO_PROXY'].flatMap((name) => {
    const [heard, hidden] = [environment[name], environment[name.toLowerCase()]];
    if (!heard || !hidden || heard === hidden) return [];
    const evidence = `${name} wins over ${name.toLowerCase()}, which says otherwise`;
    return [attention('settings', evidence, `unset ${name.toLowerCase()}`)];
  });
}
