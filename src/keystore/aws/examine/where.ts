import { lookup } from 'node:dns/promises';
import { attention, broken, type Check, ok } from '../../../core/check.ts';
import { Egress, type Environment } from '../../../core/egress/egress.ts';
import { hiddenProxy, sayingWay } from '../../../core/egress/examine.ts';
import { bareHost } from '../../../core/egress/place.ts';
import type { AwsConnectionOptions } from '../options.ts';

/** Region and endpoint, with who said so. The SDK's own endpoint follows from the region. */
export async function examineWhere(
  { region: configured, endpoint }: AwsConnectionOptions,
  region: string,
  environment: Environment = process.env,
): Promise<Check[]> {
  const variables = ['AWS_REGION', 'AWS_DEFAULT_REGION'];
  const named = variables.find((name) => environment[name] === region) ?? 'profile';
  const source = configured === undefined ? ofThisShell(named) : 'keyturn.yaml';
  const own = endpointOf(endpoint, environment);
  const at = own === null ? '' : `, endpoint ${own.url.origin} (${own.source})`;
  const host = own?.url.hostname ?? `secretsmanager.${region}.amazonaws.com`;
  const egress = Egress.ofEnvironment(environment);
  const url = own?.url ?? new URL(`https://${host}`);
  const way = sayingWay(egress, url).map((said) => `, ${said}`);
  const found = [ok('settings', `region ${region} (${source})${at}${way.join('')}`)];
  const other = variables.find((name) => configured !== undefined && environment[name] && environment[name] !== region);
  if (other !== undefined) found[0] = ok('settings', `${found[0]?.evidence}, keyturn.yaml wins over ${other}`);
  if (own?.url.protocol === 'http:') found.push(plain(own));
  // A proxy looks the name up itself.
  const looked = egress.proxyTo(url) === null ? await resolves(host, own?.source ?? null) : [];
  return [...found, ...hiddenProxy(environment), ...looked];
}

interface Endpoint {
  readonly url: URL;
  readonly source: string;
}

/** As the SDK chooses: what is configured, the variable of the service, the variable for all. */
function endpointOf(configured: string | undefined, environment: Environment): Endpoint | null {
  if (configured !== undefined) return { url: new URL(configured), source: 'keyturn.yaml' };
  if (environment['AWS_IGNORE_CONFIGURED_ENDPOINT_URLS']?.toLowerCase() === 'true') return null;
  for (const name of ['AWS_ENDPOINT_URL_SECRETS_MANAGER', 'AWS_ENDPOINT_URL']) {
    const value = environment[name];
    if (value !== undefined && URL.canParse(value)) return { url: new URL(value), source: ofThisShell(name) };
  }
  return null;
}

function ofThisShell(name: string): string {
  return `${name} of this shell; the server has its own`;
}

function plain({ url, source }: Endpoint): Check {
  const fix = `Write https:// in the endpoint (${source}), or leave it out for AWS’s own.`;
  if (/^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/.test(url.hostname)) {
    return attention('TLS', `${url.origin} is plain http: whoever may watch this host’s loopback sees the keys`, fix);
  }
  return broken('TLS', `${url.origin} is plain http: keys would cross the network in the clear`, fix);
}

async function resolves(host: string, source: string | null): Promise<Check[]> {
  try {
    await lookup(bareHost(host));
    return [];
  } catch {
    const fix =
      source === null
        ? `Correct region (aws account list-regions shows yours), or see what DNS says: getent hosts ${host}`
        : `Correct the endpoint (${source}), or see what DNS says: getent hosts ${host}`;
    return [broken('service', `the name ${host} does not resolve`, fix)];
  }
}
