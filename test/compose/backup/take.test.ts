import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { LogVerifier } from '../../../src/audit/checkpoint.ts';
import { readArchive, type Unpacked } from '../../../src/backup/archive.ts';
import { formatRecipient } from '../../../src/backup/recipient.ts';
import { decryptBackup } from '../../../src/backup/stream.ts';
import { storePlace } from '../../../src/credential/store/store-queue.ts';
import { explainStore } from '../../../src/credential/version/attest.ts';
import { openFileStore } from '../../../src/keystore/file/file-store.ts';
import { keyFile } from '../../../src/keystore/file/master/key-file.ts';
import { KeyStore } from '../../../src/keystore/keystore.ts';
import { canSnapshot } from '../../../src/ledger/snapshot.ts';
import { openSqliteLedger } from '../../../src/ledger/sqlite/open.ts';
import { generateX25519 } from '../../../src/sealed/x25519.ts';
import { piecesOf, whole } from '../../backup/octets.ts';
import { edit, TestInstance } from '../../e2e/instance.ts';
import { TestCa } from '../../fakes/ca.ts';

const identity = generateX25519();
const RECIPIENT = formatRecipient(identity.publicKey);
const STRANGER = formatRecipient(generateX25519().publicKey);

let keyturn: TestInstance;
let token: string;

beforeEach(async () => {
  keyturn = await TestInstance.start();
  await edit(join(keyturn.home, 'keyturn.yaml'), (config) => ({ ...config, backup: { recipients: [RECIPIENT] } }));
  await keyturn.restart();
  token = await keyturn.grant('service:backup', 'backup', { credentials: ['**'] });
});
afterEach(() => keyturn.stop());

const take = (recipient = RECIPIENT, by = token) =>
  keyturn.call('POST', '/v1/backups', { token: by, json: { recipient } });

async function unpack(file: Buffer): Promise<Unpacked & { files: Map<string, Buffer> }> {
  const files = new Map<string, Buffer>();
  const unpacked = await readArchive(decryptBackup(piecesOf(file), identity.privateKey), async ({ name }, octets) => {
    files.set(name, await whole(octets));
  });
  return { ...unpacked, files };
}

test('a backup holds ledger, key store, configuration, CA and rules, and is on the log before it leaves', async () => {
  const { signer } = keyturn.serving.instance;
  const before = (await keyturn.serving.instance.desk.ledger.head()).size;
  const reply = await take();
  expect(reply).toMatchObject({ status: 201, headers: { 'content-type': 'application/octet-stream' } });
  const facts = JSON.parse(String(reply.headers['keyturn-backup'])) as Record<string, unknown>;
  expect(facts).toMatchObject({
    recipient: RECIPIENT,
    size: before,
    generation: 1,
    stores: { file: 3 },
    octets: reply.raw.length,
  });
  const [entry, ...more] = await keyturn.entries('backup.taken');
  expect(more).toEqual([]);
  expect(entry).toMatchObject({ index: before, actor: 'service:backup', data: facts });

  const { note, manifest, files } = await unpack(reply.raw);
  expect([...files.keys()]).toEqual([
    'config',
    'listener-ca',
    'access/bindings.yaml',
    'access/expectations.yaml',
    'access/policy.schema.json',
    'access/roles.yaml',
    'partners/lean.yaml',
    'keystore',
    'ledger',
  ]);
  expect(manifest).toMatchObject({ by: 'service:backup', log: { size: before, generation: 1 } });
  new LogVerifier({ origin: signer.origin, keys: [signer.vkey] }).openText(note);
  expect(files.get('keystore')?.subarray(0, 7).toString()).toBe('KEYTURN');
  // The copies it was read from are gone.
  expect((await readdir(join(keyturn.home, 'ledger'))).filter((name) => name.startsWith('.'))).toEqual([]);
});

test('a recipient that the configuration does not name gets nothing, and the try is on the log', async () => {
  for (const recipient of [STRANGER, 'ktbackup_none']) {
    expect(await take(recipient)).toMatchObject({ status: 400, body: { code: 'invalid_input' } });
  }
  expect(await keyturn.entries('backup.taken')).toEqual([]);
  const denials = await keyturn.entries('access.denied');
  expect(denials.map(({ data }) => (data as Record<string, unknown>)['rule'])).toEqual(
    Array(2).fill('recipient-not-pinned'),
  );
});

test('no ordinary role takes a backup', async () => {
  expect(await take(RECIPIENT, keyturn.admin)).toMatchObject({ status: 403, body: { code: 'permission_denied' } });
});

test('when the record cannot be made nothing leaves, and nothing of it stays', async () => {
  const { ledger } = keyturn.serving.instance.desk;
  const commit = ledger.commit.bind(ledger);
  ledger.commit = async (change) => {
    if (change.entry.kind === 'backup.taken') throw new Error('the disk is gone');
    return commit(change);
  };
  const reply = await take();
  expect([reply.status, reply.headers['keyturn-backup']]).toEqual([500, undefined]);
  expect((await readdir(join(keyturn.home, 'ledger'))).filter((name) => name.startsWith('.'))).toEqual([]);
  ledger.commit = commit;
  expect((await take()).status).toBe(201);
});

test('no write to a store begins between the copy of the ledger and that of the store', async () => {
  const { ledger, storeQueue, defaultStore } = keyturn.serving.instance.desk;
  if (!canSnapshot(ledger)) throw new Error('it cannot copy itself');
  const snapshot = ledger.snapshot.bind(ledger);
  let begun = false;
  let effect = Promise.resolve();
  ledger.snapshot = async (path) => {
    const head = await snapshot(path);
    effect = storeQueue.run([storePlace(defaultStore.name)], async () => {
      begun = true;
    });
    // An effect whose turn it is begins within this turn of the loop.
    await new Promise(setImmediate);
    expect(begun).toBe(false);
    return head;
  };
  expect((await take()).status).toBe(201);
  await effect;
  expect(begun).toBe(true);
});

test('the key store in a backup holds every key that its ledger knows, however imports and backups meet', async () => {
  const ca = await TestCa.create();
  const importing = Array.from({ length: 6 }, async (_, at) => {
    const issued = await ca.client();
    const pem = Buffer.from(issued.keyPem + issued.certificatePem + ca.chainPem);
    return (await keyturn.import(`lean/sandbox/n${at}`, { 'all.pem': pem }, { environment: 'sandbox' })).status;
  });
  const taken = [await take(), await take()];
  expect(await Promise.all(importing)).toEqual(Array(6).fill(201));
  taken.push(await take());
  for (const reply of taken) {
    const { manifest, files } = await unpack(reply.raw);
    const { matches, records } = await examine(files);
    expect(matches, `at size ${manifest.log.size}`).toBe(true);
    expect(records).toBeGreaterThanOrEqual(2);
  }
});

/** Opens both halves of a backup, and holds them against one another as a start does. */
async function examine(files: Map<string, Buffer>): Promise<{ matches: boolean; records: number }> {
  const folder = await mkdtemp(join(tmpdir(), 'ktb-'));
  try {
    for (const name of ['keystore', 'ledger'])
      await writeFile(join(folder, name), files.get(name) ?? '', { mode: 0o600 });
    const master = keyFile(join(keyturn.home, 'master', 'master.key'));
    const store = new KeyStore('file', await openFileStore({ path: join(folder, 'keystore'), master }));
    const { signer, logKey } = keyturn.serving.instance;
    const ledger = await openSqliteLedger({
      path: join(folder, 'ledger'),
      signer: { origin: signer.origin, privateKey: logKey },
    });
    try {
      const kept = await ledger.find('versions', { state: { in: ['current', 'staged', 'previous'] } });
      const records = await store.list();
      await explainStore(ledger, store);
      return { matches: kept.every(({ record }) => records.includes(record)), records: records.length };
    } finally {
      await ledger.close();
      await store.close();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
