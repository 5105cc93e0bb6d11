import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Credential, connect, type KeyturnClient } from '../../src/client/index.ts';
import { Stage } from '../credential/stage.ts';
import { edit } from './instance.ts';

/** Leases last an hour here: whatever a client learns sooner it has heard. */
let stage: Stage;
let token: string;
let client: KeyturnClient;
let credential: Credential;

beforeEach(async () => {
  stage = await Stage.set({ leases: { default: '1h', maximum: '1h' } });
  await stage.import();
  token = await stage.keyturn.grant('service:payments', 'service');
  client = await connect({ connection: await connection(), token: () => Buffer.from(token) });
  credential = await client.credential('lean/sandbox');
  await expect.poll(() => stage.keyturn.serving.instance.watchers.count).toBe(1);
});
afterEach(async () => {
  await client.close();
  await stage.strike();
});

async function connection() {
  const file = join(stage.keyturn.home, 'admin', 'connection.json');
  return { ...JSON.parse(await readFile(file, 'utf8')), servers: [stage.keyturn.url] };
}

test('a promotion reaches a client within a second, with an hour of its lease to go', async () => {
  await stage.import();
  await stage.promote(2);
  await expect.poll(() => credential.version, { timeout: 5_000 }).toBe(2);
});

test('a freeze ends a client’s lease at once, and its thaw brings it back', async () => {
  const frozen = await stage.freeze('credential', 'lean/sandbox');
  await expect.poll(() => credential.status().reason?.code, { timeout: 5_000 }).toBe('held');
  const bob = await stage.keyturn.grant('person:bob', 'approver', { credentials: ['**'] });
  const thaw = `/v1/holds/${String(frozen.body['hold'])}/thaw`;
  await stage.post(thaw);
  await stage.post(thaw, { token: bob });
  await expect.poll(() => credential.status().state, { timeout: 10_000 }).toBe('live');
});

test('a freeze reaches a client while the ledger takes nothing: its key is no longer used', async () => {
  stage.breakLedger();
  await stage.freeze('credential', 'lean/sandbox');
  // The renewal that it asks for can't be recorded, so no server says whether the freeze stands.
  await expect.poll(() => credential.status().reason?.code, { timeout: 10_000 }).toBe('held');
});

test('a freeze of another host, or of a store, ends nobody’s lease while no server can be asked', async () => {
  stage.breakLedger();
  await stage.freeze('host', '203.0.113.7');
  await stage.freeze('store', 'file');
  await credential.renew();
  expect(credential.status().state).toBe('live');
});

test('a freeze of a version that is not in use ends nothing, and neither does trouble without a freeze', async () => {
  await stage.import();
  stage.breakLedger();
  await stage.freeze('version', 'lean/sandbox', { version: 2 });
  await credential.renew();
  expect(credential.status().state).toBe('live');
});

test('after a restart of the server the watch is there again, and what was missed is heard', async () => {
  await stage.import();
  const { port } = stage.keyturn.serving;
  await edit(join(stage.keyturn.home, 'keyturn.yaml'), (config) => ({
    ...config,
    listen: { ...(config['listen'] as object), port },
  }));
  await stage.keyturn.restart();
  await stage.promote(2);
  await expect.poll(() => credential.version, { timeout: 15_000 }).toBe(2);
});

test('a client that was told not to watch opens nothing', async () => {
  const quiet = await connect({ connection: await connection(), token: () => Buffer.from(token), watch: false });
  await quiet.credential('lean/sandbox');
  expect(stage.keyturn.serving.instance.watchers.count).toBe(1);
  await quiet.close();
});

test('a process that has nothing else to do ends, a watch or not', async () => {
  const program = join(stage.keyturn.home, 'program.mjs');
  await writeFile(join(stage.keyturn.home, 'c.json'), JSON.stringify(await connection()));
  await writeFile(join(stage.keyturn.home, 't'), token, { mode: 0o600 });
  const library = join(import.meta.dirname, '../../src/client/index.ts');
  await writeFile(
    program,
    `import { connect } from ${JSON.stringify(library)};
     const client = await connect({ connection: 'c.json', token: 't' });
     const credential = await client.credential('lean/sandbox');
     console.log(credential.version);`,
  );
  const { stdout } = await promisify(execFile)(process.execPath, [program], {
    cwd: stage.keyturn.home,
    timeout: 15_000,
  });
  expect(stdout.trim()).toBe('1');
});
