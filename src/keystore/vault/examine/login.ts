import { attention, broken, type Check, ok } from '../../../core/check.ts';
import { answerObject, type JsonObject, numberAt, objectAt, textsAt } from '../client/answer.ts';
import type { VaultClient } from '../client/client.ts';
import { throwRefusal } from '../client/refusal.ts';
import type { VaultLink } from '../connect.ts';

const LOOKUP = 'auth/token/lookup-self';

/**
 * Logs in as the server does, and has the token look itself up. Vault answers an unknown token and one without this
 * permission alike, so other questions that every token of ours may ask tell the two apart.
 * @param others paths to LIST; null where the token needs no permission but one that is tried next.
 * @param keptByNobody the token lies in a file that neither we nor an agent renews. Default: false.
 */
export async function examineLogin(
  link: VaultLink,
  others: readonly string[] | null,
  keptByNobody = false,
): Promise<Check[]> {
  const { client, login } = link;
  const answer = await client.probe({ method: 'GET', path: LOOKUP }, true);
  if (answer.status === 200) {
    return examineToken(link, objectAt(answerObject(answer.octets), 'data'), keptByNobody);
  }
  if (answer.status !== 403) throwRefusal(answer, LOOKUP);
  if (others === null) return [ok('login', `${login}; its token may not look itself up, and need not`)];
  if (!(await isKnown(client, others))) {
    return [
      broken(
        'login',
        link.loginIsFresh
          ? `Vault gave a token for ${login}, and does not accept it: it may do nothing, or is bound to other addresses (token_bound_cidrs)`
          : `Vault does not accept the ${login}: it expired, was revoked, belongs to another server, or may do nothing`,
        `${link.loginFix}. The policy: bao policy write keyturn policies/vault/keyturn.hcl`.replaceAll('..', '.'),
      ),
    ];
  }
  return [attention('login', `${login}; its token may not look itself up`, lineOf(LOOKUP, 'read'))];
}

async function isKnown(client: VaultClient, folders: readonly string[]): Promise<boolean> {
  const body = { paths: [LOOKUP] };
  const asked = await client.probe({ method: 'POST', path: 'sys/capabilities-self', body }, true);
  if (asked.status === 200) return true;
  for (const path of folders) {
    const { status } = await client.probe({ method: 'LIST', path }, true);
    if (status === 200 || status === 404) return true;
  }
  return false;
}

function examineToken({ login, loginRepeats }: VaultLink, data: JsonObject, keptByNobody: boolean): Check[] {
  const policies = (textsAt(data, 'policies') ?? []).filter((name) => /^[\w./-]{1,128}$/.test(name));
  const ttl = numberAt(data, 'ttl') ?? 0;
  const renewable = data['renewable'] === true;
  const life = ttl === 0 ? 'without an end' : `${timeOf(ttl)} left${renewable ? ', renewable' : ''}`;
  const found = [ok('login', `${login}, policies ${policies.join(', ') || 'none'}, ${life}`)];
  if (policies.includes('root')) {
    const fix = 'Configure a login whose role has policies/vault/keyturn.hcl alone; then: bao token revoke -self';
    found.push(attention('login', 'the token is root’s, which may do everything', fix));
  }
  if (ttl > 0 && !renewable && !loginRepeats) {
    found.push(attention('login', `the token ends in ${timeOf(ttl)} and can’t be renewed`, OWN_LOGIN));
  }
  if (ttl > 0 && keptByNobody) {
    const evidence = `the token ends in ${timeOf(ttl)}; what “bao login” left is renewed by nobody`;
    found.push(attention('login', evidence, OWN_LOGIN));
  }
  const uses = numberAt(data, 'num_uses') ?? 0;
  if (uses > 0) found.push(attention('login', `the token ends after ${uses} more requests`, OWN_LOGIN));
  return found;
}

const OWN_LOGIN = 'Configure a login, e.g. approle, that gets a new token by itself: docs/design/keystore-vault.md';

function timeOf(seconds: number): string {
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.floor(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86_400)} days`;
}

/** What to add to a policy. */
export function lineOf(path: string, capability: string): string {
  return `Add to its policy: path "${path}" { capabilities = ["${capability}"] }`;
}
