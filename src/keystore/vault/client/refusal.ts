import { answerObject, textsAt, type VaultAnswer } from './answer.ts';
import { vaultError } from './reason.ts';

/**
 * Lets through what its asker must interpret: 200, 204, a 404 that means "nothing there", and 400.
 * @throws KeyturnError for every other answer, with the reason. Server text is matched, never quoted.
 */
export function throwRefusal(answer: VaultAnswer, path: string): void {
  const { status } = answer;
  if (status === 200 || status === 204 || status === 400) return;
  if (status === 404) {
    throwMissingMount(answer, path);
    return;
  }
  const refusal = REFUSALS[status];
  if (refusal !== undefined) {
    const { retryAfterMs } = answer;
    throw vaultError(refusal.reason, `${refusal.says} (HTTP ${status}, ${path}).`, {
      status,
      path,
      fix: refusal.fix,
      ...(retryAfterMs === null ? {} : { retryAfterMs }),
    });
  }
  const reason = status >= 500 ? 'server_error' : 'not_vault';
  throw vaultError(reason, `Vault answered ${path} with HTTP ${status}.`, {
    status,
    fix: 'See the log of the server.',
  });
}

const STANDBY = {
  reason: 'standby',
  says: 'This node of Vault does not serve the request itself',
  fix: 'Point the address to the active node or to the load balancer.',
} as const;

/** HTTP codes of Vault's API (developer.hashicorp.com/vault/api-docs, "HTTP status codes", and sys/health). */
const REFUSALS: Readonly<
  Record<number, { readonly reason: Parameters<typeof vaultError>[0]; readonly says: string; readonly fix: string }>
> = {
  403: { reason: 'forbidden', says: 'Vault denied the request', fix: 'Compare the policy of the token.' },
  412: { reason: 'behind', says: 'This node of Vault is behind the one that took the write', fix: 'Try again.' },
  429: {
    reason: 'throttled',
    says: 'Vault refused the request for its rate',
    fix: 'Raise the quota: bao list sys/quotas/rate-limit',
  },
  472: STANDBY,
  473: STANDBY,
  474: STANDBY,
  501: { reason: 'not_initialised', says: 'Vault is not initialised', fix: 'Run: bao operator init' },
  503: { reason: 'sealed', says: 'Vault is sealed or in maintenance', fix: 'Run: bao operator unseal' },
  530: STANDBY,
};

/**
 * A 404 with an empty list of errors, or with data of a deleted version, speaks of the record. With a text it speaks
 * of the mount or the namespace: nothing can be said of the record then.
 */
function throwMissingMount(answer: VaultAnswer, path: string): void {
  const body = answerObject(answer.octets);
  const errors = textsAt(body, 'errors');
  if (errors?.length === 0 || (errors === null && 'data' in body)) return;
  if (errors?.some((text) => text.startsWith('no handler for route'))) {
    throw vaultError('no_mount', `Vault has nothing mounted at ${path}.`, {
      status: 404,
      fix: `Check mount and namespace, or run: bao secrets enable -path=${path.split('/data/')[0]?.split('/metadata/')[0] ?? path} -version=2 kv`,
    });
  }
  if (errors?.some((text) => text === 'namespace not found')) {
    throw vaultError('no_mount', 'Vault has no such namespace.', {
      status: 404,
      fix: 'Correct the namespace: bao namespace list shows those there are, below the one it is asked in.',
    });
  }
  throw vaultError('not_vault', `What answered ${path} with HTTP 404 does not speak as Vault does.`, {
    status: 404,
    fix: 'Check the address; a proxy or another service may stand there.',
  });
}
