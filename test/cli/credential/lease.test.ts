import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TestInstance } from '../../e2e/instance.ts';
import { TestCa } from '../../fakes/ca.ts';
import { type Keyturn, served } from '../keyturn.ts';
import { imported } from '../upload.ts';

let keyturn: Keyturn;
let instance: TestInstance;
let stop: () => Promise<void>;

beforeAll(async () => {
  ({ keyturn, instance, stop } = await served());
  await imported(keyturn, instance, await TestCa.create());
});

afterAll(() => stop());

test('a lease is taken with the client library, shown without the key, and given back', async () => {
  const token = await instance.grant('service:payments', 'service');
  keyturn.guard(token);
  await keyturn.write('payments.token', token);
  const args = ['lease', 'lean/sandbox', '--token-file', 'payments.token'];
  const lent = await keyturn.json<{ spki: string }>(args);
  expect(lent).toMatchObject({ credential: 'lean/sandbox', state: 'live', version: 1, reason: null });
  expect(lent.spki).toMatch(/^[0-9a-f]{64}$/);
  const returned = await instance.entries('lease.returned');
  expect(returned).toMatchObject([{ actor: 'service:payments', credential: 'lean/sandbox', version: 1 }]);
  const ran = await keyturn.run(args);
  expect(ran).toMatchObject({ code: 0, out: expect.stringContaining('Lent, checked and returned: lean/sandbox') });
});

test('who holds no grant gets exit code 3 and the reason', async () => {
  expect(await keyturn.refusal(['lease', 'lean/sandbox'])).toMatchObject({ exit: 3, code: 'permission_denied' });
});

test('a frozen credential is exit code 3 too, as held', async () => {
  await instance.call('POST', '/v1/holds', { json: { target: 'credential', subject: 'lean/sandbox', reason: 'leak' } });
  const refusal = await keyturn.refusal(['lease', 'lean/sandbox', '--token-file', 'payments.token']);
  expect(refusal).toMatchObject({ exit: 3, code: 'held' });
});

test('a token file that others can read is refused before it is used', async () => {
  await keyturn.write('open.token', instance.admin, 0o644);
  const refusal = await keyturn.refusal(['lease', 'lean/sandbox', '--token-file', 'open.token']);
  expect(refusal).toMatchObject({ exit: 3, code: 'unauthenticated', fix: expect.stringContaining('chmod 600') });
});
