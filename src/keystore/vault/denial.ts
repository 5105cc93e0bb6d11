import type { KeyturnError } from '../../core/errors.ts';
import { answerObject, objectAt, textsAt } from './client/answer.ts';
import type { VaultClient } from './client/client.ts';
import { vaultError } from './client/reason.ts';
import type { Privilege } from './privilege.ts';

/** What Vault said no to, in words that a policy's author can use: its own 403 names neither path nor capability. */
export async function explainDenial(client: VaultClient, needed: Privilege, login: string): Promise<KeyturnError> {
  const wanted = `"${needed.capability}" on ${needed.path}`;
  const missing = await missingPrivileges(client, [needed]);
  if (missing === null) return explainToken(client, needed, login);
  if (missing.length === 0) {
    return vaultError('forbidden', `Vault denied ${needed.verb} although its policy grants ${wanted}.`, {
      status: 403,
      fix: 'Look for parameter constraints, bound addresses or a control group in the policies of this token.',
    });
  }
  return vaultError('forbidden', `Vault denied ${needed.verb}: the policy does not grant ${wanted}.`, {
    status: 403,
    fix: `Add to the policy: path "${needed.grant ?? needed.path}" { capabilities = ["${needed.capability}"] }${wholePolicy(needed)}`,
  });
}

/** The shipped policy as it has to be for this mount and prefix. */
function wholePolicy({ grant, verb }: Privilege): string {
  if (verb === 'adopt') return '; policies/vault/keyturn-adopt.hcl does so for a folder';
  const place = /^(.*?)\/(?:data|metadata)\/(.*)\/\*$/.exec(grant ?? '');
  if (place === null) return '';
  const [, mount, prefix] = place;
  if (mount === 'secret' && prefix === 'keyturn') {
    return '; or all of it: bao policy write keyturn policies/vault/keyturn.hcl';
  }
  const adapted = `sed -E 's#secret/(data|metadata)/keyturn/#${mount}/\\1/${prefix}/#' policies/vault/keyturn.hcl`;
  return `; or all of it: ${adapted} | bao policy write keyturn -`;
}

function policyFor({ verb }: Privilege): string {
  return verb === 'adopt' ? 'keyturn-adopt.hcl' : 'keyturn.hcl';
}

/**
 * Those of the privileges that the token lacks, by sys/capabilities-self; null when the token may not ask that.
 */
export async function missingPrivileges<P extends Pick<Privilege, 'path' | 'capability'>>(
  client: VaultClient,
  needed: readonly P[],
): Promise<readonly P[] | null> {
  const body = { paths: needed.map(({ path }) => path) };
  const answer = await quietly(client.probe({ method: 'POST', path: 'sys/capabilities-self', body }, true));
  if (answer?.status !== 200) return null;
  const granted = objectAt(answerObject(answer.octets), 'data');
  return needed.filter(({ path, capability }) => {
    const capabilities = textsAt(granted, path) ?? [];
    return !capabilities.includes(capability) && !capabilities.includes('root');
  });
}

/** An expired token is answered just as a missing capability is; looking itself up tells the two apart. */
async function explainToken(client: VaultClient, needed: Privilege, login: string): Promise<KeyturnError> {
  const wanted = `"${needed.capability}" on ${needed.path}`;
  const looked = await quietly(client.probe({ method: 'GET', path: 'auth/token/lookup-self' }, true));
  if (looked?.status === 200) {
    return vaultError('forbidden', `Vault denied the request; it needs ${wanted}.`, {
      status: 403,
      fix: `Compare the policy of the token with policies/vault/${policyFor(needed)}.`,
    });
  }
  return vaultError('token', `Vault does not accept the ${login}, or its policy lacks ${wanted}.`, {
    status: 403,
    fix: 'The token may have expired, be revoked or belong to another server: log in again.',
  });
}

async function quietly<T>(call: Promise<T>): Promise<T | null> {
  try {
    return await call;
  } catch {
    // A question about the refusal that fails adds nothing to it.
    return null;
  }
}
