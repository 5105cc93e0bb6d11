import { expect, it } from 'vitest';
import { askAs, VaultClient } from '../../../../src/keystore/vault/client/client.ts';
import { type Reason, vaultError } from '../../../../src/keystore/vault/client/reason.ts';
import { Resilience } from '../../../../src/keystore/vault/client/resilience.ts';
import type { Wire } from '../../../../src/keystore/vault/client/wire.ts';

/** Reason and certainty of what a request ends with whose attempts fail for these reasons, one after the other. */
async function ending(method: 'GET' | 'POST', ...reasons: Reason[]): Promise<unknown> {
  const left = [...reasons];
  const wire: Wire = () => Promise.reject(vaultError(left.shift() ?? 'closed', 'no answer'));
  const resilience = new Resilience({ timeoutMs: 1_000, maxRetries: reasons.length - 1 });
  const request = { method, path: 'pki/revoke', repeatable: true };
  const error = await askAs(wire, resilience, null, request).catch((thrown: unknown) => thrown);
  expect(left).toEqual([]);
  return (error as { facts: unknown }).facts;
}

it('a change whose first attempt may have done it is in doubt, however certainly the last one did nothing', async () => {
  for (const last of ['unreachable', 'proxy', 'tls'] as const) {
    expect(await ending('POST', 'lost', last)).toMatchObject({ reason: last, certain: false });
    expect(await ending('POST', 'unreachable', last)).toMatchObject({ reason: last, certain: true });
  }
});

it('a question that changes nothing is as certain as its last attempt', async () => {
  expect(await ending('GET', 'lost', 'proxy')).toMatchObject({ reason: 'proxy', certain: true });
});

it('a new login settles nothing that an attempt under the token before left in doubt', async () => {
  const endingOf = async (...reasons: Reason[]) => {
    const left = [...reasons];
    const wire: Wire = () => Promise.reject(vaultError(left.shift() ?? 'closed', 'no answer'));
    const tokens = { token: async () => 'one', replace: async () => 'another' };
    const client = new VaultClient(wire, new Resilience({ timeoutMs: 1_000, maxRetries: 1 }), tokens);
    const request = { method: 'POST', path: 'pki/revoke', repeatable: true } as const;
    const error = await client.ask(request).catch((thrown: unknown) => thrown);
    expect(left).toEqual([]);
    return (error as { facts: unknown }).facts;
  };
  expect(await endingOf('lost', 'forbidden', 'forbidden')).toMatchObject({ reason: 'forbidden', certain: false });
  expect(await endingOf('forbidden', 'forbidden')).toMatchObject({ reason: 'forbidden', certain: true });
});
