import { X509Certificate } from 'node:crypto';
import { attention, broken, brokenBy, type Check, ok } from '../../core/check.ts';
import type { Api } from '../api/api.ts';
import { everyCredential } from '../api/every-credential.ts';
import type { Context } from '../context.ts';
import { checkRuntime, type Runtime } from './runtime.ts';

/** Greatest difference of clocks that goes without a word, milliseconds. */
const CLOCK_TOLERANCE_MS = 5_000;
const DAY_MS = 86_400_000;

/** What can be seen of a server through its API. */
export async function checkServer({ api }: Context): Promise<Check[]> {
  let open: Api;
  try {
    open = await api();
  } catch (error) {
    return [brokenBy('connection', error)];
  }
  const checks: Check[] = [pinnedCa(open)];
  for (const [name, act] of [
    ['server', () => reachable(open)],
    ['readiness', () => ready(open)],
    ['token', () => token(open)],
    ['server’s runtime', () => runtime(open)],
    ['audit log', () => log(open)],
    ['credentials', () => credentials(open)],
  ] as const) {
    try {
      checks.push(...(await act()));
    } catch (error) {
      checks.push(brokenBy(name, error));
      // Without a server or a token whatever follows would tell the same again.
      if (name === 'server' || name === 'token') break;
    }
  }
  return checks;
}

function pinnedCa({ connection }: Api): Check {
  const end = Date.parse(new X509Certificate(connection.ca).validTo);
  const days = Math.floor((end - Date.now()) / DAY_MS);
  if (days > 30) return ok('pinned CA', `${days} days left`);
  const evidence = days < 0 ? `ended ${-days} days ago` : `${days} days left`;
  return attention('pinned CA', evidence, 'Have a new CA made and hand out new connection files.');
}

async function reachable(api: Api): Promise<Check[]> {
  const before = Date.now();
  const response = await api.stream({ method: 'GET', path: '/livez' });
  const took = Date.now() - before;
  response.resume();
  const theirs = Date.parse(response.headers.date ?? '');
  const skew = Number.isNaN(theirs) ? 0 : theirs - before;
  const clock =
    Math.abs(skew) <= CLOCK_TOLERANCE_MS
      ? ok('clocks', `within ${CLOCK_TOLERANCE_MS / 1000} s of the server`)
      : broken(
          'clocks',
          `${Math.round(skew / 1000)} s apart from the server`,
          'Set both clocks by NTP: leases end by the earlier one.',
        );
  return [ok('server', `${api.connection.servers[0]?.origin ?? ''} answered in ${took} ms`), clock];
}

async function token(api: Api): Promise<Check[]> {
  const me = (await api.call({ method: 'GET', path: '/v1/whoami' })) as { principal: string; tokenExpiresAt: string };
  const days = Math.floor((Date.parse(me.tokenExpiresAt) - Date.now()) / DAY_MS);
  const evidence = `${me.principal}, ${days} days left`;
  return [days > 7 ? ok('token', evidence) : attention('token', evidence, `keyturn token create ${me.principal}`)];
}

async function ready(api: Api): Promise<Check[]> {
  const answer = (await api.call({ method: 'GET', path: '/readyz', accepted: 503 })) as {
    checks: Readiness[];
  };
  return answer.checks.map(readinessOf);
}

interface Readiness {
  readonly name: string;
  readonly ready: boolean;
  readonly required: boolean;
  readonly detail: string;
}

/** A store that is not required may be down while the server stays in service. */
function readinessOf({ name: what, ready: is, required, detail }: Readiness): Check {
  const name = `server’s ${what}`;
  const need = required ? 'required' : 'not required';
  if (is) return ok(name, `ready (${need})`);
  if (required) {
    return broken(
      name,
      `${detail} (${need})`,
      'Restart the server when its disk is well again; freeze works meanwhile.',
    );
  }
  const evidence = `${detail} (${need}: leases are renewed, its keys are not lent anew)`;
  return attention(name, evidence, 'Run keyturn doctor on the server’s own host: it tells why, store by store.');
}

async function runtime(api: Api): Promise<Check[]> {
  return checkRuntime((await api.call({ method: 'GET', path: '/v1/runtime' })) as Runtime);
}

async function log(api: Api): Promise<Check[]> {
  const note = await api.text({ method: 'GET', path: '/v1/audit/checkpoint' });
  const { size } = api.connection.log.open(note);
  return [ok('audit log', `${size} entries, signed by the pinned key`)];
}

async function credentials(api: Api): Promise<Check[]> {
  const items = await everyCredential(api);
  if (items.length === 0)
    return [attention('credentials', 'none that this token may list', 'keyturn import PARTNER/ENVIRONMENT --zip FILE')];
  return items.map((item) => {
    const name = `credential ${item.name}`;
    const current = item.versions.find(({ version }) => version === item.current);
    if (current === undefined) return broken(name, 'no current version', replacing(item.name));
    if (item.frozen) return attention(name, 'frozen', 'keyturn hold list');
    const days = Math.floor((Date.parse(current.notAfter) - Date.now()) / DAY_MS);
    if (days < 0) return broken(name, `expired ${-days} days ago`, replacing(item.name));
    if (days <= 30)
      return attention(name, `${days} days left`, 'Have the partner issue a new certificate and import it.');
    return ok(name, `version ${current.version}, ${days} days left`);
  });
}

/** Whether the partner or Keyturn makes the key stands in the profile. */
function replacing(name: string): string {
  return `keyturn rotate ${name} --plan (says who has to do what); a first key of the partner: keyturn import ${name} --zip FILE`;
}
