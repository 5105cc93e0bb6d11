import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { initInstance } from '../../../src/compose/init.ts';
import { cannotAsk } from '../../../src/compose/master-key.ts';
import { edit, TestInstance } from '../instance.ts';
import type { RotatedPartner } from './partners.ts';

export interface RotationsOptions {
  readonly partner: RotatedPartner;
  readonly rotations: number;
  readonly told?: (what: string) => void;
}

/** What the callers counted, all of them together. */
export interface Counted {
  readonly calls: number;
  readonly failed: number;
  readonly swaps: number;
  /** Calls that a partner's end of a kept connection overtook, made again as any client makes a GET. */
  readonly repeated: number;
  readonly failures: Readonly<Record<string, number>>;
}

export interface RotationsRun {
  /** Without a rotation, as long and with as many revocations of others. */
  readonly control: Counted;
  readonly rotated: Counted;
  /** Seconds that each rotation took. */
  readonly seconds: readonly number[];
  /** Proofs that are on the log, and keys that are destroyed. */
  readonly proven: number;
  readonly destroyed: number;
  readonly current: number;
}

const CALLERS = [
  ['4', 'kept'],
  ['2', 'new'],
] as const;
const ROTATION = '/v1/credentials/lean%2Fsandbox/rotation';
const PACE = { longestRequestMs: 300, lookMs: 50, retryMs: 100, retryMostMs: 500 };

/** Rotation after rotation while services in processes of their own call the partner without a pause. */
export async function rotateUnderLoad({
  partner,
  rotations,
  told = () => {},
}: RotationsOptions): Promise<RotationsRun> {
  await using cleanUp = new AsyncDisposableStack();
  const keyturn = await startKeyturn(partner);
  cleanUp.defer(() => keyturn.stop());
  let { serial } = await importNext(keyturn, partner);
  await keyturn.call('PUT', '/v1/credentials/lean%2Fsandbox/companions/lean-app-token', {
    raw: Buffer.from(partner.appToken),
    headers: { 'content-type': 'application/octet-stream' },
  });
  const callers = await startCallers(keyturn, `${partner.mtlsUrl}${partner.path}`);
  cleanUp.defer(() => callers.stop());

  const seconds: number[] = [];
  await sleep(500);
  for (let n = 0; n < rotations; n += 1) {
    await sleep(1_000);
    await partner.stir();
  }
  const control = await callers.count();
  told(`control: ${control.calls} calls, ${control.failed} failed`);
  for (let n = 1; n <= rotations; n += 1) {
    const begun = performance.now();
    serial = await rotateOnce(keyturn, partner, serial);
    seconds.push((performance.now() - begun) / 1000);
    told(`rotation ${n}: ${seconds.at(-1)?.toFixed(1)} s`);
  }
  const rotated = await callers.count();
  const versions = await keyturn.serving.instance.desk.ledger.find('versions', { credential: 'lean/sandbox' });
  return {
    control,
    rotated,
    seconds,
    proven: (await keyturn.entries('version.proven-dead')).length,
    destroyed: versions.filter(({ state }) => state === 'destroyed').length,
    current: versions.filter(({ state }) => state === 'current').length,
  };
}

async function startKeyturn(partner: RotatedPartner): Promise<TestInstance> {
  const home = await mkdtemp(join(tmpdir(), 'keyturn-'));
  await initInstance({ home, administrator: 'alice', port: 0, ask: cannotAsk });
  const keyturn = await TestInstance.open(home, undefined, { pace: PACE });
  await edit(join(home, 'policies', 'partners', 'lean.yaml'), (profile) => {
    const environments = profile['environments'] as Record<string, Record<string, object>>;
    const { sandbox = {} } = environments;
    const changed = {
      ...sandbox,
      issuance: { ...sandbox['issuance'], live: 2 },
      revocation: { ...sandbox['revocation'], propagation: '1s' },
    };
    return { ...profile, environments: { ...environments, sandbox: changed } };
  });
  await keyturn.meet(partner);
  return keyturn;
}

async function importNext(keyturn: TestInstance, partner: RotatedPartner) {
  const made = await partner.generate();
  const reply = await keyturn.import('lean/sandbox', made.files);
  if (reply.status !== 201) throw new Error(`The import was refused: ${reply.text}`);
  return made;
}

/** @returns the serial of the new certificate. */
async function rotateOnce(keyturn: TestInstance, partner: RotatedPartner, old: string): Promise<string> {
  const started = await keyturn.call('POST', ROTATION, { json: { reason: 'under load' } });
  if (started.status !== 201) throw new Error(`No rotation began: ${started.text}`);
  const { serial } = await importNext(keyturn, partner);
  const end = performance.now() + 60_000;
  for (let asked = false; ; ) {
    const { body } = await keyturn.call('GET', ROTATION);
    if (body['state'] === 'completed') return serial;
    if (body['state'] === 'halted' || performance.now() > end) throw new Error(`It stands: ${JSON.stringify(body)}`);
    const tasks = body['tasks'] as { id: string; kind: string; state: string }[];
    const revoke = tasks.find(({ kind, state }) => kind === 'revoke' && state === 'open');
    if (revoke !== undefined && !asked) {
      asked = true;
      await partner.revoke(old);
      await keyturn.call('POST', `/v1/tasks/${revoke.id}/done`, { json: { note: 'revoked' } });
    }
    await sleep(100);
  }
}

async function startCallers(keyturn: TestInstance, url: string) {
  const folder = await mkdtemp(join(tmpdir(), 'callers-'));
  const [connection, token] = [join(folder, 'connection.json'), join(folder, 'token')];
  const written = JSON.parse(await readFile(join(keyturn.home, 'admin', 'connection.json'), 'utf8')) as object;
  await writeFile(connection, JSON.stringify({ ...written, servers: [keyturn.url] }));
  await writeFile(token, await keyturn.grant('service:payments', 'service'), { mode: 0o600 });
  const program = join(import.meta.dirname, 'caller.ts');
  const callers = CALLERS.map((how) => {
    const child = spawn(process.execPath, [program, connection, token, url, ...how], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    return { child, lines: createInterface({ input: child.stdout })[Symbol.asyncIterator]() };
  });
  for (const { lines } of callers) await lines.next();
  return {
    count: async () => together(await Promise.all(callers.map(({ child, lines }) => counted(child, lines)))),
    stop: async () => {
      for (const { child } of callers) {
        const over = child.exitCode === null ? once(child, 'exit') : Promise.resolve();
        child.kill('SIGTERM');
        await over;
      }
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** What one has counted since it was last asked. */
async function counted(child: ChildProcess, lines: AsyncIterator<string>): Promise<Counted> {
  child.kill('SIGUSR2');
  const { value, done } = await lines.next();
  if (done === true) throw new Error('A caller has ended by itself.');
  return JSON.parse(String(value)) as Counted;
}

function together(all: readonly Counted[]): Counted {
  const failures: Record<string, number> = {};
  for (const each of all) {
    for (const [what, count] of Object.entries(each.failures)) failures[what] = (failures[what] ?? 0) + count;
  }
  const sum = (of: (one: Counted) => number) => all.reduce((total, one) => total + of(one), 0);
  return {
    calls: sum((one) => one.calls),
    failed: sum((one) => one.failed),
    swaps: sum((one) => one.swaps),
    repeated: sum((one) => one.repeated),
    failures,
  };
}
