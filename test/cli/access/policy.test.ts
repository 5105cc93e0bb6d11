import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import type { TestInstance } from '../../e2e/instance.ts';
import { type Keyturn, served } from '../keyturn.ts';

let keyturn: Keyturn;
let instance: TestInstance;
let stop: () => Promise<void>;

beforeAll(async () => {
  ({ keyturn, instance, stop } = await served());
});

afterAll(() => stop());

test('can-i answers yes with exit code 0 and no with 3, and explains both', async () => {
  const no = await keyturn.run(['can-i', 'credential:lease', 'lean/sandbox']);
  expect(no).toMatchObject({ code: 3, out: expect.stringMatching(/^no: /), err: '' });
  const yes = await keyturn.run(['can-i', 'credential:import', 'lean/sandbox', '--explain']);
  expect(yes).toMatchObject({ code: 0, out: expect.stringMatching(/^yes: /) });
  for (const told of ['BINDING', 'alice-operator', 'grants', 'Who holds it:', 'person:alice (alice-operator)']) {
    expect(yes.out).toContain(told);
  }
  const asked = ['can-i', 'credential:lease', 'lean/sandbox', '--as', 'service:payments'];
  expect(await keyturn.json(asked, 3)).toMatchObject({ decision: { allow: false } });
  expect(await keyturn.refusal(['can-i', 'credential:fly'])).toMatchObject({ exit: 2, code: 'invalid_input' });
});

test('a profile whose issuer there is not is told before a rotation needs it', async () => {
  const lean = join(instance.home, 'policies', 'partners', 'lean.yaml');
  const before = await readFile(lean, 'utf8');
  await writeFile(lean, before.replace('issuer: manual\n      key: partner', 'issuer: house\n      key: keyturn'));
  expect(await keyturn.json(['policy', 'check'], 10)).toMatchObject({
    unknownIssuers: [{ environment: 'lean/sandbox', issuer: 'house' }],
  });
  expect((await keyturn.run(['policy', 'check'])).err).toContain(
    'lean/sandbox has its certificates from the issuer house',
  );
  const { checks } = await keyturn.json<{ checks: { name: string; state: string }[] }>(['doctor'], 10);
  expect(checks.filter(({ name }) => name === 'issuers of profiles')).toHaveLength(1);
  await writeFile(lean, before);
  expect(await keyturn.json(['policy', 'check'])).toMatchObject({ unknownIssuers: [] });
});

test('a policy is checked without a server and reloaded whole, or not at all', async () => {
  const checked = await keyturn.json<{ digest: string; profiles: object }>(['policy', 'check']);
  const { digest, profiles } = checked;
  expect(profiles).toEqual({ partners: expect.any(Number), environments: expect.any(Number) });
  expect(await keyturn.json(['policy', 'reload'])).toEqual({ digest, profiles });
  const { out } = await keyturn.run(['policy', 'reload']);
  const { partners, environments } = profiles as { partners: number; environments: number };
  expect(out).toContain(digest);
  expect(out).toContain(`${partners} partner profiles with ${environments} environments`);

  const roles = { roles: [{ name: 'flyer', title: 'Flies', permissions: ['credential:fly'] }] };
  await writeFile(join(instance.home, 'policies', 'access', 'wrong.yaml'), stringify(roles));
  for (const command of ['check', 'reload']) {
    const refusal = await keyturn.refusal(['policy', command]);
    expect(refusal).toMatchObject({ exit: 1, code: 'policy_invalid', message: expect.stringContaining('wrong.yaml') });
  }
  expect(await keyturn.json(['whoami'])).toMatchObject({ principal: 'person:alice' });
});
