import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { doChores } from '../../../src/compose/serve.ts';
import type { TestInstance } from '../../e2e/instance.ts';
import { TestCa } from '../../fakes/ca.ts';
import { type Keyturn, type Ran, served } from '../keyturn.ts';
import { imported } from '../upload.ts';

let keyturn: Keyturn;
let instance: TestInstance;
let stop: () => Promise<void>;

beforeAll(async () => {
  ({ keyturn, instance, stop } = await served());
  await imported(keyturn, instance, await TestCa.create());
  await instance.grant('service:payments', 'service');
});

afterAll(() => stop());

test.each([
  [['lean/sandbox'], 'credential', 'lean/sandbox'],
  [['lean/sandbox', '--version', '1'], 'version', 'lean/sandbox@1'],
  [['--principal', 'service:payments'], 'principal', 'service:payments'],
  [['--host', '192.0.2.7'], 'host', '192.0.2.7'],
  [['--store', 'file'], 'store', 'file'],
])('freeze %s holds the %s', async (args, target, subject) => {
  const frozen = await keyturn.json(['freeze', ...args, '--reason', 'key seen in a paste']);
  // On a machine that is too busy the journal takes it.
  const durable = expect.stringMatching(/^(?:ledger|journal)$/);
  expect(frozen).toMatchObject({ target, subject, durable, unreached: [] });
});

test('every server of the connection file is told of one hold; who was not reached is named', async () => {
  const connection = JSON.parse(await readFile(join(instance.home, 'admin', 'connection.json'), 'utf8'));
  const gone = 'https://localhost:1';
  const servers = [gone, instance.url, instance.url];
  await keyturn.write('three.json', JSON.stringify({ ...connection, servers }));
  const ran = await keyturn.run(['freeze', '--host', '192.0.2.8', '--connection', 'three.json', '--json']);
  const frozen = JSON.parse(ran.out);
  expect(frozen.unreached).toEqual([gone]);
  expect(ran.code).toBe(frozen.durable === 'ledger' ? 0 : 10);
  await doChores(instance.serving.instance);
  const holds = await instance.serving.instance.desk.ledger.find('holds', { subject: '192.0.2.8' });
  expect(holds.map(({ id }) => id)).toEqual([frozen.hold]);
});

test('when no server is reached, it says so and how to go on', async () => {
  const connection = JSON.parse(await readFile(join(instance.home, 'admin', 'connection.json'), 'utf8'));
  await keyturn.write('none.json', JSON.stringify({ ...connection, servers: ['https://localhost:1'] }));
  const refusal = await keyturn.refusal(['freeze', '--host', '192.0.2.8', '--connection', 'none.json']);
  expect(refusal).toMatchObject({ exit: 6, code: 'server_unreachable' });
});

test('a long reason that is cut in the midst of a character does not stop a freeze', async () => {
  const reason = `x${'\u{1f525}'.repeat(300)}`;
  await keyturn.json(['freeze', '--host', '192.0.2.10', '--reason', reason]);
  await doChores(instance.serving.instance);
  const { items } = await keyturn.json<{ items: { subject: string; reason: string }[] }>(['hold', 'list']);
  expect(items.find(({ subject }) => subject === '192.0.2.10')?.reason).toBe(`x${'\u{1f525}'.repeat(249)}`);
});

test('a reason that was pasted with line ends and escapes does not stop a freeze', async () => {
  const reason = 'from the log:\n\tkey=\u001b[31mabc\r\n';
  const { hold } = await keyturn.json<{ hold: string }>(['freeze', '--host', '192.0.2.9', '--reason', reason]);
  await doChores(instance.serving.instance);
  const { items } = await keyturn.json<{ items: { id: string; reason: string }[] }>(['hold', 'list']);
  expect(items.find(({ id }) => id === hold)?.reason).toBe('from the log: key= [31mabc');
});

test('the local socket takes a freeze without a token and without a connection', async () => {
  const nothing = ['--token-file', 'absent', '--connection', 'absent'];
  const ran = await keyturn.run(['freeze', 'lean/sandbox', '--socket', '--reason', 'by hand', ...nothing]);
  expect(ran).toMatchObject({ code: 0, out: expect.stringMatching(/^Frozen: credential lean\/sandbox \(hold_/) });
  expect(ran.err).toContain('keyturn thaw hold_');
});

test('what the server refuses over the socket is no freeze', async () => {
  const refusal = await keyturn.refusal(['freeze', '--socket', '--host', 'not an address']);
  expect(refusal).toMatchObject({ exit: 2, code: 'invalid_input' });
});

test('a socket that nobody listens on is told, with what to do', async () => {
  const refusal = await keyturn.refusal(['freeze', 'lean/sandbox', '--socket', 'absent.sock']);
  expect(refusal).toMatchObject({ exit: 6, code: 'server_unreachable', fix: expect.stringContaining('--home') });
});

test.each([
  ['nothing', []],
  ['two things', ['lean/sandbox', '--store', 'file']],
  ['a version of no credential', ['--version', '1', '--store', 'file']],
  ['a version that is no number', ['lean/sandbox', '--version', 'latest']],
])('%s cannot be frozen', async (_, args) => {
  expect(await keyturn.refusal(['freeze', ...args])).toMatchObject({ exit: 2, code: 'invalid_input' });
});

test('hold list tells who froze what and why', async () => {
  await doChores(instance.serving.instance);
  const { out } = await keyturn.run(['hold', 'list']);
  expect(out.trim().split('\n')).toHaveLength(10);
  for (const told of ['lean/sandbox@1', 'local:socket', 'person:alice', 'by hand', 'key seen in a paste']) {
    expect(out).toContain(told);
  }
});

/** As a person would, until a machine that is too busy lets the ledger take it. */
async function frozenOnLedger(args: readonly string[]): Promise<Ran> {
  for (;;) {
    const ran = await keyturn.run(['freeze', ...args]);
    if (!ran.out.includes('in the emergency journal')) return ran;
  }
}

test.each([
  [['leen/sandbox'], 'credential leen/sandbox'],
  [['lean/sandbox', '--version', '77'], 'version lean/sandbox@77'],
  [['--principal', 'service:paymnets'], 'principal service:paymnets'],
])('a freeze of %s, which nobody knows, holds and asks whether that was meant', async (args, name) => {
  const ran = await frozenOnLedger(args);
  expect(ran).toMatchObject({ code: 10, out: expect.stringContaining(`Frozen: ${name} (hold_`) });
  expect(ran.err).toContain(`The server knows no ${name}.`);
});
