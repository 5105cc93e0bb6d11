import { answerObject, numberAt, objectAt } from '../client/answer.ts';
import { reasonOf, vaultError } from '../client/reason.ts';
import { TOKEN } from './grant.ts';
import type { Grant, LoginClient, LoginMethod } from './method.ts';
import { readSecretLine } from './secret-file.ts';

/** A token that was handed to us, renewed as long as it can be. `source` says by whom, e.g. `VAULT_TOKEN`. */
export function tokenLogin(token: string, source: string): LoginMethod {
  return {
    description: `token from ${source}`,
    fix: `For a new token: export ${source}="$(bao token create -policy=keyturn -field=token)"; better, configure a login that renews itself.`,
    repeatable: false,
    renews: true,
    login: async (client) => ({ token: checked(token, source), ...(await lifetimeOf(client, token)) }),
  };
}

/** A token in a file that somebody else keeps fresh (Vault Agent's sink, `vault login`): read anew, never renewed. */
export function tokenFileLogin(path: string): LoginMethod {
  return {
    description: `token file ${path}`,
    fix: `Put a new token there: bao token create -policy=keyturn -field=token > ${path}; better, have Vault Agent do it.`,
    repeatable: true,
    renews: false,
    login: async () => {
      const token = checked(await readSecretLine(path, 'a token of Vault'), path);
      return { token, leaseSeconds: 0, renewable: false };
    },
  };
}

function checked(token: string, source: string): string {
  if (TOKEN.test(token)) return token;
  throw vaultError('login', `What ${source} gives is not a token of Vault.`, { fix: 'Give the token without spaces.' });
}

/** A token that may not look itself up is used as it is, and not renewed. */
async function lifetimeOf(client: LoginClient, token: string): Promise<Omit<Grant, 'token'>> {
  try {
    const data = objectAt(answerObject((await client.get('auth/token/lookup-self', token)).octets), 'data');
    return { leaseSeconds: numberAt(data, 'ttl') ?? 0, renewable: data['renewable'] === true };
  } catch (error) {
    if (reasonOf(error) === 'forbidden') return { leaseSeconds: 0, renewable: false };
    throw error;
  }
}
