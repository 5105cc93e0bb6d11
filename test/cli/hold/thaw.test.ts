import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TestInstance } from '../../e2e/instance.ts';
import { type Keyturn, served } from '../keyturn.ts';

let keyturn: Keyturn;
let instance: TestInstance;
let stop: () => Promise<void>;

beforeAll(async () => {
  ({ keyturn, instance, stop } = await served());
});

afterAll(() => stop());

test('one person asks, the same person again is refused, a second one lifts', async () => {
  const bob = await instance.grant('person:bob', 'approver', { credentials: ['**'] });
  keyturn.guard(bob);
  await keyturn.write('bob.token', bob);
  await instance.grant('service:payments', 'service');
  const { hold } = await keyturn.json<{ hold: string }>(['freeze', '--principal', 'service:payments']);

  const asked = await keyturn.run(['thaw', hold]);
  expect(asked).toMatchObject({
    code: 10,
    out: expect.stringContaining('until a second person runs the same command'),
  });
  expect(await keyturn.refusal(['thaw', hold])).toMatchObject({ exit: 3, code: 'second_person_required' });
  expect(await keyturn.json(['hold', 'list'])).toMatchObject({ items: [{ id: hold, thawAskedBy: 'person:alice' }] });

  const lifted = await keyturn.json(['thaw', hold, '--token-file', 'bob.token']);
  expect(lifted).toMatchObject({ state: 'lifted', askedBy: 'person:alice', liftedBy: 'person:bob' });
  expect(await keyturn.run(['hold', 'list'])).toMatchObject({ out: 'Nothing is frozen.\n' });
  expect(await keyturn.refusal(['thaw', hold])).toMatchObject({ exit: 5, code: 'conflict' });
});

test('a hold that there is none of is not found', async () => {
  const refusal = await keyturn.refusal(['thaw', `hold_${'0'.repeat(32)}`]);
  expect(refusal).toMatchObject({ exit: 4, code: 'not_found' });
});
