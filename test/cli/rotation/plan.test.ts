import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { edit } from '../../e2e/instance.ts';
import { TestCa } from '../../fakes/ca.ts';
import { served } from '../keyturn.ts';

let stand: Awaited<ReturnType<typeof served>>;
beforeEach(async () => {
  stand = await served();
  const ca = await TestCa.create();
  const { keyPem, certificatePem } = await ca.client();
  const file = Buffer.from(keyPem + certificatePem + ca.chainPem);
  expect(await stand.instance.import('lean/sandbox', { 'all.pem': file })).toMatchObject({ status: 201 });
});
afterEach(() => stand.stop());

interface Plan {
  readonly steps: readonly { readonly step: string; readonly from: string; readonly until: string; seconds: number }[];
  readonly outageExpected: { readonly from: string; readonly until: string; readonly seconds: number } | null;
  readonly currentBy: string;
  readonly endsBy: string;
  readonly warnings: readonly string[];
}

async function profile(live: number): Promise<void> {
  const path = join(stand.instance.home, 'policies', 'partners', 'lean.yaml');
  expect(await readFile(path, 'utf8')).toContain('sandbox:');
  await edit(path, (document) => {
    const { sandbox, ...others } = document['environments'] as Record<string, Record<string, object>>;
    const issuance = { ...sandbox?.['issuance'], live, leadTime: '3d' };
    return { ...document, environments: { ...others, sandbox: { ...sandbox, issuance } } };
  });
  await stand.instance.reload();
}

const DAY_MS = 86_400_000;

test('keyturn rotate --plan dates each step, by the terms of the partner, and begins nothing', async () => {
  await profile(2);
  const before = Date.now();
  const plan = await stand.keyturn.json<Plan>(['rotate', 'lean/sandbox', '--plan']);
  const [first] = plan.steps;
  expect(first).toMatchObject({ step: 'await', seconds: 3 * 86_400 });
  expect(Date.parse(plan.currentBy) - before).toBeGreaterThanOrEqual(3 * DAY_MS);
  for (const [at, { from }] of plan.steps.entries()) {
    if (at > 0) expect(Date.parse(from)).toBeGreaterThanOrEqual(Date.parse(plan.steps[at - 1]?.until ?? ''));
  }
  expect(plan.endsBy).toBe(plan.steps.at(-1)?.until);
  expect(plan).toMatchObject({ outage: 'none', outageExpected: null });
  const { out } = await stand.keyturn.run(['rotate', 'lean/sandbox', '--plan']);
  expect(out).toMatch(/new one current +by 20.* at the latest/);
  expect(out).toMatch(/step +who +from +until at the latest +what/i);
  expect((await stand.keyturn.run(['rotation', 'list'])).out).toContain('No');
});

test('where one certificate may live, the plan says from when on and for how long clients are refused', async () => {
  await profile(1);
  const { steps, outageExpected } = await stand.keyturn.json<Plan>(['rotate', 'lean/sandbox', '--plan']);
  const { from, until } = steps[0] ?? {};
  expect(outageExpected).toMatchObject({ from, until });
  expect(outageExpected?.seconds).toBeGreaterThan(0);
});

test('a change freeze is no hindrance for whoever begins by hand, but they are told', async () => {
  const freeze = { from: '2020-01-01T00:00:00Z', to: '2100-01-01T00:00:00Z', why: 'year end' };
  await edit(join(stand.instance.home, 'keyturn.yaml'), (config) => ({ ...config, rotation: { freezes: [freeze] } }));
  await stand.instance.restart();
  const { warnings } = await stand.keyturn.json<Plan>(['rotate', 'lean/sandbox', '--plan']);
  expect(warnings.join(' ')).toContain('A change freeze is on until 2100-01-01T00:00:00.000Z (year end)');
});

test('a version that is staged already is said to be taken, and the upload of one on the way says what goes on', async () => {
  await profile(2);
  const ca = await TestCa.create();
  const [second, third] = [await ca.client(), await ca.client()];
  const pem = ({ keyPem, certificatePem }: typeof second) => Buffer.from(keyPem + certificatePem + ca.chainPem);
  const upload = async (name: string, of: typeof second) => {
    const file = await stand.keyturn.write(name, pem(of));
    return stand.keyturn.run([
      'import',
      'lean/sandbox',
      '--pem',
      file,
      '--environment',
      'sandbox',
      '--accept-new-chain',
    ]);
  };
  expect((await upload('second.pem', second)).err).toContain('Next: keyturn promote lean/sandbox 2');
  const staged = await stand.keyturn.json<Plan>(['rotate', 'lean/sandbox', '--plan']);
  expect(staged.warnings).toContainEqual(expect.stringContaining('Version 2 is staged already: it is taken'));
  await stand.keyturn.run(['retire', 'lean/sandbox', '2']);
  expect((await stand.keyturn.json<Plan>(['rotate', 'lean/sandbox', '--plan'])).warnings.join()).not.toContain(
    'staged',
  );
  await stand.keyturn.run(['rotate', 'lean/sandbox']);
  expect((await upload('third.pem', third)).err).toContain('The rotation under way goes on with it');
});

test('the plan for a frozen credential says who has to lift that', async () => {
  await stand.keyturn.run(['freeze', 'lean/sandbox', '--reason', 'leak']);
  const { warnings } = await stand.keyturn.json<Plan>(['rotate', 'lean/sandbox', '--plan']);
  expect(warnings).toContainEqual(expect.stringContaining('lean/sandbox is frozen'));
});
