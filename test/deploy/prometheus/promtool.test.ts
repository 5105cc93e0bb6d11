import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { TestInstance } from '../../e2e/instance.ts';
import { TestCa } from '../../fakes/ca.ts';
import { run } from '../../fakes/programs.ts';
import { ROOT } from '../installed.ts';

const RULES = join(ROOT, 'charts/keyturn/files/keyturn.rules.yaml');
const CASES = fileURLToPath(new URL('./keyturn.rules.test.yaml', import.meta.url));

/** Stays absent from an instance whose keys rest in its own file alone, and that has no issuer: breakers are of what is elsewhere. */
const ELSEWHERE_ONLY = [
  'keyturn_store_circuit',
  'keyturn_issuer_circuit',
  'keyturn_issuer_request_duration_seconds_count',
];
/** Stays absent while nothing is under way. */
const WHILE_ROTATING = ['keyturn_rotations_open'];

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keyturn-rules-'));
});

afterAll(() => rm(folder, { recursive: true }));

async function tryRules(text: string) {
  await writeFile(join(folder, 'keyturn.rules.yaml'), text);
  return run('promtool', ['test', 'rules', join(folder, 'cases.yaml')]);
}

test('the rules are rules, and each alert fires when it should and only then', async () => {
  const text = await readFile(RULES, 'utf8');
  expect(await run('promtool', ['check', 'rules', '--lint-fatal', RULES])).toMatchObject({ exitCode: 0 });
  await copyFile(CASES, join(folder, 'cases.yaml'));
  expect(await tryRules(text)).toMatchObject({ exitCode: 0 });
  const alerts = [...text.matchAll(/alert: (\w+)/g)].map(([, name]) => name);
  const cases = await readFile(CASES, 'utf8');
  for (const alert of alerts) expect(cases).toContain(alert);
});

test('a rule that is made blind fails its case', async () => {
  const text = await readFile(RULES, 'utf8');
  const { tests, ...common } = parse(await readFile(CASES, 'utf8')) as { tests: { name: string }[] };
  for (const [from, to, name] of [
    ['keyturn_ledger_ready == 0', 'keyturn_ledger_ready == 2', 'a ledger that stopped'],
    ['<= 0.03', '<= 0.02', 'a certificate comes to its last 3 percent'],
    ['< 0.1) > 0.03', '< 0.09) > 0.03', 'a certificate comes to its last tenth'],
    ['state="halted"', 'state="running"', 'rotations that need somebody'],
    ['max by (kind) (keyturn_tasks_overdue) > 0', 'max by (kind) (keyturn_tasks_overdue) > 1', 'rotations that need'],
    ['max(keyturn_rotation_proofs_overdue) > 0', 'max(keyturn_rotation_proofs_overdue) > 1', 'rotations that need'],
    [
      '(keyturn_rotation_share_rollbacks_total[6h])) > 0',
      '(keyturn_rotation_share_rollbacks_total[6h])) > 3',
      'a new version failed its first clients',
    ],
    ['max(keyturn_rotations_late) > 0', 'max(keyturn_rotations_late) > 4', 'rotations that need somebody'],
    ['(keyturn_rotation_starts_failing) > 0', '(keyturn_rotation_starts_failing) > 1', 'rotations that need somebody'],
    ['> 3 * 7 / 90 *', '> 4 * 7 / 90 *', 'what falls due in a week'],
    ['state="open"', 'state="closed"', 'a store that is down'],
    ['{result="error"}[30m])) > 3', '{result="error"}[30m])) > 300', 'an issuer that fails every call'],
    ['operation!="ready"', 'operation!="none"', 'nothing fires while all is well'],
  ] as const) {
    expect(text).toContain(from);
    const own = tests.filter((one) => one.name.startsWith(name));
    expect(own, name).toHaveLength(1);
    await writeFile(join(folder, 'cases.yaml'), stringify({ ...common, tests: own }));
    // Not by what is no rule or no case any more.
    const failed = { exitCode: 1, stderr: expect.stringMatching(/^\s+FAILED:\n.*\btime: \d/s) };
    expect(await tryRules(text.replace(from, to)), from).toMatchObject(failed);
  }
}, 30_000);

test('what a running server exposes is well formed, and has every metric that a rule reads', async () => {
  const instance = await TestInstance.start();
  try {
    const ca = await TestCa.create();
    const issued = await ca.client();
    const file = Buffer.from(issued.keyPem + issued.certificatePem + ca.certificatePem);
    expect(await instance.import('lean/sandbox', { 'all.pem': file })).toMatchObject({ status: 201 });
    const { text } = await instance.call('GET', '/metrics', { token: null });
    expect(await run('promtool', ['check', 'metrics'], text)).toEqual({ exitCode: 0, stdout: '', stderr: '' });

    const { groups } = parse(await readFile(RULES, 'utf8')) as { groups: { rules: { expr: string }[] }[] };
    const read = groups.flatMap(({ rules }) => rules.flatMap(({ expr }) => expr.match(/keyturn_\w+/g) ?? []));
    const exposed = new Set([...text.matchAll(/^(keyturn_\w+)[{ ]/gm)].map(([, name]) => name));
    expect(read.filter((name) => !exposed.has(name) && ![...ELSEWHERE_ONLY, ...WHILE_ROTATING].includes(name))).toEqual(
      [],
    );
  } finally {
    await instance.stop();
  }
});
