import { copyFile, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { formatRecipient } from '../../../src/backup/recipient.ts';
import { loadConfig } from '../../../src/compose/config.ts';
import { moveToPostgres } from '../../../src/compose/ledger/move-to-postgres.ts';
import { cannotAsk } from '../../../src/compose/master-key.ts';
import { restoreBackup } from '../../../src/compose/restore/restore.ts';
import { AnswerOpener } from '../../../src/sealed/answer.ts';
import { generateX25519 } from '../../../src/sealed/x25519.ts';
import { edit, TestInstance } from '../../e2e/instance.ts';
import { TestCa } from '../../fakes/ca.ts';
import { PostgresCluster } from '../../fakes/postgres/cluster.ts';

const identity = generateX25519();
const RECIPIENT = formatRecipient(identity.publicKey);

test('an instance in PostgreSQL is backed up, restored to a file, and brought to another database; its keys are lent', async () => {
  await using cluster = await PostgresCluster.start();
  const folder = await mkdtemp(join(tmpdir(), 'kt-postgres-'));
  const setting = async () => {
    const { passwordFile = '', port = 0, ...place } = await cluster.database();
    return { ...place, port, 'password-file': passwordFile };
  };
  const lost = await TestInstance.start({ postgres: await setting() });
  await edit(join(lost.home, 'keyturn.yaml'), (config) => ({ ...config, backup: { recipients: [RECIPIENT] } }));
  await lost.restart();
  const ca = await TestCa.create();
  const issued = await ca.client();
  await lost.import('lean/sandbox', { 'all.pem': Buffer.from(issued.keyPem + issued.certificatePem + ca.chainPem) });
  const taker = await lost.grant('service:backup', 'backup', { credentials: ['**'] });
  const reply = await lost.call('POST', '/v1/backups', { token: taker, json: { recipient: RECIPIENT } });
  expect(reply.status).toBe(201);
  expect((await readdir(join(lost.home, 'journal'))).filter((name) => name.startsWith('.'))).toEqual([]);
  const { size } = await lost.serving.instance.desk.ledger.head();
  const masterKeyFile = join(folder, 'master.key');
  await copyFile(join(lost.home, 'master', 'master.key'), masterKeyFile);
  const file = join(folder, 'keyturn.backup');
  await writeFile(file, reply.raw);
  await lost.stop();

  const home = join(folder, 'restored');
  const options = { file, identity: identity.privateKey, home, ask: cannotAsk, masterKeyFile, acceptLoss: true };
  const restored = await restoreBackup({ ...options, administrator: 'alice' });
  // Its own entry is not in it.
  expect(restored).toMatchObject({ size: size - 1, generation: 2, changed: expect.arrayContaining(['ledger.path']) });
  const config = await loadConfig(home);
  expect(config.ledger).toEqual({ path: join(home, 'ledger', 'ledger.db') });

  await moveToPostgres(config, await setting(), cannotAsk);
  const again = await TestInstance.open(home);
  try {
    const service = await again.grant('service:payments', 'service');
    const json = { hpkePublicKey: AnswerOpener.generate().publicKey, seen: 0 };
    const lease = await again.call('POST', '/v1/credentials/lean%2Fsandbox/leases', { token: service, json });
    expect(lease).toMatchObject({ status: 201 });
    expect((await again.entries('ledger.moved')).length).toBe(1);
  } finally {
    await again.stop();
    await rm(folder, { recursive: true });
  }
});
