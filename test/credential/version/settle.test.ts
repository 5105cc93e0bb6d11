import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadConfig } from '../../../src/compose/config.ts';
import { cannotAsk } from '../../../src/compose/master-key.ts';
import { doChores } from '../../../src/compose/serve.ts';
import { rotateMasterKey } from '../../../src/compose/upkeep/rotate-master-key.ts';
import { SecretBytes } from '../../../src/core/secret-bytes.ts';
import { systemRecord, versionRecord } from '../../../src/keystore/record-name.ts';
import { TestInstance } from '../../e2e/instance.ts';
import { failNextWrite, opened, Stage } from '../stage.ts';

let stage: Stage;
beforeEach(async () => {
  stage = await Stage.set();
});
afterEach(() => stage.strike());

const FIRST = versionRecord('lean/sandbox', 1);
const states = async (instance: TestInstance) =>
  (await instance.serving.instance.desk.ledger.find('versions', {}, { orderBy: 'version' })).map(({ state }) => state);
const kinds = async (instance: TestInstance) => {
  const entries = await instance.serving.instance.desk.ledger.entries({ credential: 'lean/sandbox', limit: 100 });
  return entries.map(({ json }) => (JSON.parse(json) as { kind: string }).kind);
};

describe('an import', () => {
  test('is an intent, a write and an outcome', async () => {
    await stage.import();
    expect(await kinds(stage.keyturn)).toEqual(['version.import-intended', 'version.imported']);
  });

  test('whose write fails before the octets landed is abandoned, and the same key can come again', async () => {
    const issued = await stage.ca.client();
    void failNextWrite(stage.driver, 'before');
    const failed = await stage.import('lean/sandbox', issued);
    expect(failed).toMatchObject({ status: 503, body: { code: 'keystore_unavailable' } });
    expect(failed.text).not.toContain('quotes a secret');
    expect(await stage.import('lean/sandbox', issued)).toMatchObject({ status: 409, body: { code: 'conflict' } });
    await doChores(stage.keyturn.serving.instance);
    expect(await states(stage.keyturn)).toEqual(['abandoned']);
    expect(await stage.import('lean/sandbox', issued)).toMatchObject({ status: 201, body: { version: 2 } });
  });

  test('whose write fails after the octets landed is finished, while the process runs', async () => {
    void failNextWrite(stage.driver, 'after');
    expect(await stage.import()).toMatchObject({ status: 503 });
    await doChores(stage.keyturn.serving.instance);
    expect(await states(stage.keyturn)).toEqual(['current']);
    const payments = await stage.keyturn.grant('service:payments', 'service');
    expect([...opened(await stage.lease(payments)).keys()]).toEqual(['key']);
    await stage.keyturn.restart();
    expect(await states(stage.keyturn)).toEqual(['current']);
  });

  test('that is under way is not taken for an interrupted one', async () => {
    const write = stage.driver.write.bind(stage.driver);
    const [reached, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    stage.driver.write = async (record, octets) => {
      reached.resolve();
      await gate.promise;
      return write(record, octets);
    };
    const asked = stage.import();
    await reached.promise;
    const chores = doChores(stage.keyturn.serving.instance);
    await new Promise(setImmediate);
    gate.resolve();
    await chores;
    expect(await asked).toMatchObject({ status: 201, body: { state: 'current' } });
  });

  test('at the same time as others of the same credential: each gets its own number', async () => {
    const replies = await Promise.all(Array.from({ length: 5 }, () => stage.import()));
    expect(replies.map(({ status }) => status)).toEqual([201, 201, 201, 201, 201]);
    expect(replies.map(({ body }) => Number(body['version'])).sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5]);
    expect((await states(stage.keyturn)).filter((state) => state === 'current')).toHaveLength(1);
  });

  test('of one key twice at the same time: one wins', async () => {
    const issued = await stage.ca.client();
    const replies = await Promise.all([stage.import('lean/sandbox', issued), stage.import('lean/production', issued)]);
    expect(replies.map(({ status }) => status).sort((a, b) => a - b)).toEqual([201, 409]);
  });
});

describe('a crash', () => {
  test('between intent and write: abandoned at the next start', async () => {
    const write = stage.driver.write.bind(stage.driver);
    const reached = Promise.withResolvers<void>();
    const hang = Promise.withResolvers<void>();
    stage.driver.write = async () => {
      reached.resolve();
      await hang.promise;
    };
    const asked = stage.import();
    await reached.promise;
    const after = await stage.afterCrash();
    expect(await states(after)).toEqual(['abandoned']);
    expect(await kinds(after)).toEqual(['version.import-intended', 'version.abandoned']);
    await after.stop();
    stage.driver.write = write;
    hang.resolve();
    await asked;
  });

  test('between write and outcome: finished at the next start, with the very key', async () => {
    const issued = await stage.ca.client();
    const asked = Promise.race([stage.import('lean/sandbox', issued), failNextWrite(stage.driver, stage.end)]);
    await asked;
    const after = await stage.afterCrash();
    expect(await states(after)).toEqual(['current']);
    using key = await after.serving.instance.store.read(FIRST);
    expect(key.bytes).toEqual(issued.privateKey.export({ format: 'der', type: 'pkcs8' }));
    await after.stop();
  });

  test('with another key in the pending version’s place: quarantined, and nothing is deleted', async () => {
    const write = stage.driver.write.bind(stage.driver);
    using other = SecretBytes.own((await stage.ca.client()).privateKey.export({ format: 'der', type: 'pkcs8' }));
    const reached = Promise.withResolvers<void>();
    stage.driver.write = async (record) => {
      await write(record, other);
      reached.resolve();
      await stage.end;
    };
    void stage.import().catch(() => undefined);
    await reached.promise;
    const after = await stage.afterCrash();
    expect(await states(after)).toEqual(['quarantined']);
    expect(await after.serving.instance.store.list()).toContain(FIRST);
    const payments = await after.grant('service:payments', 'service');
    const json = { hpkePublicKey: 'A'.repeat(43), seen: 0 };
    const lease = await after.call('POST', '/v1/credentials/lean%2Fsandbox/leases', { token: payments, json });
    expect(lease).toMatchObject({ status: 409, body: { code: 'no_current_version' } });
    await after.serving.stop();
    // What rests in quarantine is explained at every later start.
    const again = await TestInstance.open(after.home);
    expect(await states(again)).toEqual(['quarantined']);
    await again.stop();
  });

  test('after two writes whose outcome is unknown is still explained', async () => {
    await stage.import();
    // The store goes away after each write, so neither outcome is known.
    for (const _ of [1, 2]) {
      void failNextWrite(stage.driver, 'after');
      expect((await stage.import()).status).toBe(503);
    }
    const after = await stage.afterCrash();
    expect(await states(after)).toEqual(['current', 'staged', 'staged']);
    await after.stop();
  });
});

describe('a store that is not the ledger’s', () => {
  const storeFile = (home: string) => join(home, 'keys', 'keys.ktn');

  test('an older copy is refused at the start, saying which side is behind', async () => {
    const old = await readFile(storeFile(stage.keyturn.home));
    await stage.import();
    const home = await stage.copyOfDisk();
    await writeFile(storeFile(home), old, { mode: 0o600 });
    await expect(TestInstance.open(home)).rejects.toMatchObject({
      code: 'keystore_rollback',
      message: expect.stringMatching(/generation \d+, the ledger knows \d+/),
      fix: expect.stringContaining('Do not delete'),
    });
  });

  test('one with a record more than the ledger knows is refused', async () => {
    await stage.import();
    const home = await stage.copyOfDisk();
    const elsewhere = await TestInstance.open(home);
    using octets = SecretBytes.own(Buffer.from('spliced in'));
    await elsewhere.serving.instance.store.write(versionRecord('lean/sandbox', 9), octets);
    await elsewhere.serving.stop();
    await expect(TestInstance.open(home)).rejects.toMatchObject({ code: 'keystore_rollback' });
  });

  test('one without a record that the ledger knows is refused', async () => {
    await stage.import();
    const home = await stage.copyOfDisk();
    const elsewhere = await TestInstance.open(home);
    await elsewhere.serving.instance.store.destroy(FIRST);
    await elsewhere.serving.stop();
    await expect(TestInstance.open(home)).rejects.toMatchObject({ code: 'keystore_rollback' });
  });

  test('that of another instance is refused', async () => {
    const other = await TestInstance.start();
    await other.serving.stop();
    const home = await stage.copyOfDisk();
    await cp(storeFile(other.home), storeFile(home));
    await cp(join(other.home, 'master'), join(home, 'master'), { recursive: true });
    await expect(TestInstance.open(home)).rejects.toMatchObject({
      code: expect.stringMatching(/^(keystore_rollback|ledger_corrupt|audit_invalid)$/),
    });
    await other.stop();
  });

  test('a new master key does not look like a rollback, whole or interrupted before its entry', async () => {
    await stage.import();
    const home = await stage.copyOfDisk();
    const config = await loadConfig(home);
    await rotateMasterKey(
      config,
      { file: join(home, 'master', 'second.key') },
      {
        current: cannotAsk,
        next: cannotAsk,
      },
    );
    const rotated = await TestInstance.open(home);
    expect(await states(rotated)).toEqual(['current']);
    await rotated.serving.stop();
    // As interrupted: the rewrapped store and its key beside the ledger of before.
    const before = await stage.copyOfDisk();
    await cp(storeFile(home), storeFile(before));
    await cp(join(home, 'master'), join(before, 'master'), { recursive: true });
    await cp(join(home, 'keyturn.yaml'), join(before, 'keyturn.yaml'));
    const text = await readFile(join(before, 'keyturn.yaml'), 'utf8');
    await writeFile(join(before, 'keyturn.yaml'), text.replaceAll(home, before));
    const interrupted = await TestInstance.open(before);
    expect(await states(interrupted)).toEqual(['current']);
    await interrupted.stop();
  });
});

test('a store that is no file of keys at all keeps its system records through all this', async () => {
  await stage.import();
  expect(await stage.keyturn.serving.instance.store.list()).toEqual(
    expect.arrayContaining([FIRST, systemRecord('log', 1), systemRecord('ca', 1)]),
  );
});
