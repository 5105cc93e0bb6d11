import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Policy } from '../../../fakes/aws/iam.ts';
import { shippedPolicy } from '../../../fakes/aws/shipped-policy.ts';
import { CREDENTIALS, FakeAws } from '../../../fakes/aws.ts';
import { CANARY, type Cell, prepare, type Row, runCell, truth, VERBS, type Verb } from './cell.ts';
import { EXPECTED } from './expected.ts';
import { PATIENT, type PlantedFault, plantedFaults } from './faults.ts';

const CACHE = fileURLToPath(new URL('../../../../.cache', import.meta.url));

let aws: FakeAws;
let kmsKeyId: string;
const rows: Record<string, Row> = {};
const streams = [vi.spyOn(process.stdout, 'write'), vi.spyOn(process.stderr, 'write')];
const printed: string[] = [];

beforeAll(async () => {
  aws = await FakeAws.start();
  kmsKeyId = await aws.makeKey();
  // The first calls load what the simulator knows of IAM.
  await runRow({});
});

afterEach(() => {
  for (const { mock } of streams) printed.push(...mock.calls.map(([text]) => String(text)));
});

afterAll(async () => {
  await aws[Symbol.asyncDispose]();
  mkdirSync(CACHE, { recursive: true });
  writeFileSync(`${CACHE}/fault-table-aws.md`, page());
});

describe('each fault of AWS comes to the outcome of the table, and betrays nothing', () => {
  for (const name of Object.keys(EXPECTED)) {
    it(name, async () => {
      const fault = plantedFaults(aws, kmsKeyId)[name];
      if (fault === undefined) throw new Error('No such fault.');
      const { row, said } = await runRow(fault);
      rows[name] = row;
      expect(row).toEqual(EXPECTED[name]);
      for (const secret of CANARIES) expect(said.includes(secret)).toBe(false);
    });
  }

  it('knows every fault that can be planted', () => {
    expect(Object.keys(plantedFaults(aws, kmsKeyId)).sort()).toEqual(Object.keys(EXPECTED).sort());
  });

  it('no write left a second version, no failure that is certain did something, and only destroy took a record', () => {
    for (const [name, row] of Object.entries(rows)) {
      for (const verb of VERBS) {
        const [said = '', left = ''] = row[verb].split(' → ');
        if (name !== 'a secret stands there already') expect(left, name).not.toMatch(/[!x]/);
        if (said.endsWith(', certain')) expect(left, name).toBe('1');
        if (verb !== 'destroy') expect(left, name).toMatch(/^1/);
      }
    }
  });

  it('would see what is printed', () => {
    process.stderr.write('\n');
  });

  it('prints neither credentials nor octets', () => {
    expect(printed.length).toBeGreaterThan(0);
    const all = printed.join('');
    for (const secret of CANARIES) expect(all.includes(secret)).toBe(false);
  });

  it('nothing of the proxy broke', () => {
    expect(aws.proxy.broken).toEqual([]);
  });
});

/** All verbs of a row at once, each under a prefix of its own. */
async function runRow(fault: PlantedFault): Promise<{ row: Row; said: string }> {
  Object.assign(aws.proxy, { faults: () => null, policies: null });
  const cells = await Promise.all(VERBS.map((verb) => prepare(aws, verb, { ...aws.connection, kmsKeyId })));
  for (const cell of cells) await fault.arm?.(cell);
  aws.proxy.policies = cells.map((cell) => heldBy(cell, fault.without ?? []));
  aws.proxy.faults = fault.plan ?? (() => null);
  const options = { ...PATIENT, ...fault.options };
  const run = (cell: Cell) => runCell({ ...cell, options: { ...cell.options, ...options } });
  // Health waits for less than a second, so that it goes last and alone.
  const results = await Promise.all(cells.slice(0, -1).map(run));
  results.push(...(await Promise.all(cells.slice(-1).map(run))));
  await fault.disarm?.();
  const outcomes = await Promise.all(
    cells.map(async (cell, index) => [cell.verb, `${results[index]?.outcome} → ${await truth(aws, cell)}`] as const),
  );
  const row = Object.fromEntries(outcomes) as Record<Verb, string>;
  return { row, said: results.map(({ said }) => said).join('\n') };
}

/** The shipped policy for a cell's prefix, less some actions. */
function heldBy({ prefix }: Cell, without: readonly string[]): Policy {
  const policy = shippedPolicy('keyturn.json', { prefix, kmsKeyId });
  const statements = (policy['Statement'] as { Action: string | string[] }[]).flatMap((statement) => {
    const left = [statement.Action].flat().filter((action) => !without.includes(action) && !without.includes('*'));
    return left.length === 0 ? [] : [{ ...statement, Action: left }];
  });
  return { ...policy, Statement: statements };
}

const CANARIES = [
  CREDENTIALS.AWS_SECRET_ACCESS_KEY,
  CREDENTIALS.AWS_SESSION_TOKEN,
  CANARY.toString(),
  CANARY.toString('base64'),
  CANARY.toString('base64').slice(4, 28),
  CANARY.toString('hex'),
  [...CANARY.subarray(0, 8)].join(', '),
  CANARY.toString('hex').replace(/../g, '$& ').slice(0, 24),
];

function page(): string {
  const head = ['fault', ...VERBS];
  const lines = Object.entries(rows).map(([name, row]) => [name, ...VERBS.map((verb) => row[verb])]);
  return `# What each fault of AWS comes to

Behind the arrow: the records that AWS holds afterwards (1 stood before, 2 is what \`write\` writes; \`~\` is scheduled
for deletion). Of a change that failed, \`certain\` means that it did not happen.

${[head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n')}
`;
}
