import { chmod, copyFile, mkdir, mkdtemp, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type LogSigner, LogVerifier } from '../../../src/audit/checkpoint.ts';
import { readArchive } from '../../../src/backup/archive.ts';
import { formatRecipient } from '../../../src/backup/recipient.ts';
import { decryptBackup } from '../../../src/backup/stream.ts';
import { loadConfig } from '../../../src/compose/config.ts';
import { cannotAsk } from '../../../src/compose/master-key.ts';
import { openInstance } from '../../../src/compose/open.ts';
import { measureLoss } from '../../../src/compose/restore/loss.ts';
import { type RestoreOptions, restoreBackup } from '../../../src/compose/restore/restore.ts';
import { EmergencyJournal } from '../../../src/ledger/journal/emergency-journal.ts';
import { generateX25519 } from '../../../src/sealed/x25519.ts';
import { newSigner } from '../../audit/log.ts';
import { piecesOf, whole } from '../../backup/octets.ts';
import { edit, TestInstance } from '../../e2e/instance.ts';
import { TestCa } from '../../fakes/ca.ts';
import { type Change, repacked as repack } from './repacked.ts';

const identity = generateX25519();
const RECIPIENT = formatRecipient(identity.publicKey);

let place: string;
/** The lost instance, stopped; its backup, what came after it, and what was kept of it. */
let signer: LogSigner;
let backup: Buffer;
let tail: string;
let last: string;
let masterKey: string;
let attempt = 0;
let home: string;

beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'kt-restore-'));
  const keyturn = await TestInstance.start();
  const config = join(keyturn.home, 'keyturn.yaml');
  await edit(config, (content) => ({ ...content, backup: { recipients: [RECIPIENT] } }));
  await keyturn.restart();
  const ca = await TestCa.create();
  const issued = await ca.client();
  const pem = Buffer.from(issued.keyPem + issued.certificatePem + ca.chainPem);
  await keyturn.import('lean/sandbox', { 'all.pem': pem });
  const taker = await keyturn.grant('service:backup', 'backup', { credentials: ['**'] });
  const lost = await keyturn.token('service:lost');
  backup = (await keyturn.call('POST', '/v1/backups', { token: taker, json: { recipient: RECIPIENT } })).raw;
  for (const subject of ['lean/sandbox', 'lean/production']) {
    const json = { target: 'credential', subject, reason: 'after the backup' };
    expect((await keyturn.call('POST', '/v1/holds', { json })).status).toBe(201);
  }
  await keyturn.call('DELETE', `/v1/tokens/token_${lost.split('_')[1]}`);
  tail = (await keyturn.call('GET', '/v1/audit/export')).text;
  await keyturn.token('service:unnamed');
  ({ signer } = keyturn.serving.instance);
  last = (await keyturn.serving.instance.desk.ledger.head()).checkpoint;
  masterKey = join(place, 'master.key');
  await copyFile(join(keyturn.home, 'master', 'master.key'), masterKey);
  await keyturn.stop();
}, 60_000);
afterAll(() => rm(place, { recursive: true, force: true }));

beforeEach(() => {
  attempt += 1;
  home = join(place, `home-${attempt}`);
});

async function kept(name: string, content: string | Buffer): Promise<string> {
  const path = join(place, `${attempt}-${name}`);
  await writeFile(path, content, { mode: 0o600 });
  return path;
}

async function restore(more: Partial<RestoreOptions> = {}, octets: Buffer = backup) {
  const file = await kept('backup', octets);
  const always = { identity: identity.privateKey, home, ask: cannotAsk, masterKeyFile: masterKey };
  return restoreBackup({ file, ...always, ...more });
}

/** Refused with this code, and no trace of a home is left. */
async function refused(code: string, more: Partial<RestoreOptions> = {}, octets: Buffer = backup): Promise<void> {
  await expect(restore({ acceptLoss: true, ...more }, octets)).rejects.toMatchObject({ code });
  expect((await readdir(place)).filter((name) => name.startsWith(`home-${attempt}`))).toEqual([]);
}

/** Changed by somebody who can encrypt to the recipient. */
const repacked = (change: Change) => repack(backup, identity, change);

describe('nothing is restored, and nothing is left of the attempt,', () => {
  test('from a backup that is cut, changed or for somebody else', async () => {
    await refused('backup_invalid', {}, backup.subarray(0, backup.length - 1));
    const flipped = Buffer.from(backup);
    flipped[backup.length >> 1]! ^= 1;
    await refused('backup_invalid', {}, flipped);
    await refused('backup_identity_wrong', { identity: generateX25519().privateKey });
  });

  test('without the master key, or with another', async () => {
    await refused('master_key_wrong', { masterKeyFile: join(place, 'absent.key') });
    await refused('master_key_wrong', { masterKeyFile: await kept('other.key', Buffer.alloc(32, 7)) });
  });

  test('from one that somebody else has made, even of true parts', async () => {
    await refused('backup_invalid', {}, await repacked(async () => newSigner(signer.origin)));
    await refused('backup_invalid', { keys: [newSigner(signer.origin).vkey] });
  });

  test('from one that a given log key has not signed: nothing that its configuration says is done before', async () => {
    const forged = await repacked(async (files) => {
      files.set('config', Buffer.concat([files.get('config')!, Buffer.from('\nstranger: 1\n')]));
      return newSigner(signer.origin);
    });
    await refused('config_invalid', {}, forged);
    await refused('backup_invalid', { keys: [signer.vkey] }, forged);
  });

  test('from one whose ledger does not agree with itself, with its key store or with the outside', async () => {
    const changed = await repacked(async (files) => {
      files.set(
        'ledger',
        await withLedger(
          files.get('ledger')!,
          "UPDATE entries SET json = replace(json, 'alice', 'malic') WHERE idx = 1",
        ),
      );
      return signer;
    });
    await refused('ledger_corrupt', {}, changed);
    const swapped = await repacked(async (files) => {
      files.set('ledger', await withLedger(files.get('ledger')!, "UPDATE stores SET digest = '00', generation = 1"));
      return signer;
    });
    await refused('keystore_rollback', {}, swapped);
    const other = signer.sign({ size: 3, root: Buffer.alloc(32, 1) });
    await refused('ledger_corrupt', { checkpoint: await kept('checkpoint', other) });
    await refused('audit_invalid', {
      checkpoint: await kept('checkpoint', newSigner().sign({ size: 3, root: Buffer.alloc(32, 1) })),
    });
  });

  test('with a checkpoint that is none of its log: the file is named, and what to do', async () => {
    const head = { size: 3, root: Buffer.alloc(32, 1) };
    const wrong = {
      text: await kept('text', 'no checkpoint'),
      empty: await kept('empty', ''),
      key: await kept('key', Buffer.alloc(40, 7)),
      stranger: await kept('stranger', newSigner(signer.origin).sign(head)),
      other: await kept('other', newSigner('another/log').sign(head)),
    };
    for (const path of Object.values(wrong)) {
      await expect(restore({ checkpoint: path })).rejects.toMatchObject({
        code: 'audit_invalid',
        message: expect.stringContaining(`${path} is no checkpoint of ${signer.origin}`),
        fix: expect.stringContaining('--checkpoint FILE'),
      });
    }
    const absent = join(place, 'nowhere');
    await expect(restore({ checkpoint: absent })).rejects.toMatchObject({
      code: 'invalid_input',
      message: expect.stringContaining(absent),
    });
    const contradicting = await kept('contradicting', signer.sign(head));
    await expect(restore({ checkpoint: contradicting })).rejects.toMatchObject({
      code: 'ledger_corrupt',
      message: expect.stringContaining(contradicting),
      fix: expect.stringContaining('--checkpoint'),
    });
  });

  test('with a tail that is changed', async () => {
    await refused('audit_invalid', { tail: await kept('tail', tail.replace('after the backup', 'before the backup')) });
  });

  test('into a folder that holds something', async () => {
    await mkdir(home);
    await writeFile(join(home, 'kept'), 'x');
    await expect(restore({ acceptLoss: true })).rejects.toMatchObject({ code: 'conflict' });
    expect(await readdir(home)).toEqual(['kept']);
  });

  test('while what is lost is not accepted, be it known or not', async () => {
    const { size } = await base();
    const unknown = restore();
    await expect(unknown).rejects.toMatchObject({ code: 'loss_not_accepted', facts: {} });
    const known = restore({ checkpoint: await kept('checkpoint', last) });
    await expect(known).rejects.toMatchObject({ code: 'loss_not_accepted', facts: { from: size, count: 6 } });
    expect((await readdir(place)).filter((name) => name.startsWith(`home-${attempt}`))).toEqual([]);
  });
});

async function base() {
  const opened = decryptBackup(piecesOf(backup), identity.privateKey);
  const { manifest } = await readArchive(opened, async (_file, octets) => void (await whole(octets)));
  return manifest.log;
}

async function withLedger(octets: Buffer, sql: string): Promise<Buffer> {
  const path = await kept('ledger.db', octets);
  const database = new DatabaseSync(path);
  database.exec(sql);
  database.close();
  return readFile(path);
}

test('a tail names what is lost; its freezes and revocations are taken over', async () => {
  const restored = await restore({
    acceptLoss: true,
    checkpoint: await kept('checkpoint', last),
    tail: await kept('tail', tail),
  });
  expect(restored).toMatchObject({ generation: 2, frozen: 2, revoked: 1, outsideFailure: null });
  expect(restored.loss.entries?.map(({ kind }) => kind)).toEqual([
    'backup.taken',
    'hold.placed',
    'hold.placed',
    'token.revoked',
    'audit.exported',
  ]);
  const instance = await openInstance(await loadConfig(home), { ask: cannotAsk });
  try {
    const { ledger, holds } = instance.desk;
    expect(['lean/sandbox', 'lean/production'].map((subject) => holds.isHeld('credential', subject))).toEqual([
      true,
      true,
    ]);
    const [lost] = await ledger.find('tokens', { principal: 'service:lost' });
    expect(lost?.revoked_at).not.toBeNull();
    expect(await ledger.find('tokens', { principal: 'service:unnamed' })).toEqual([]);
  } finally {
    await instance.close();
  }
});

test('of a tail too long to be told whole every freeze and revocation is taken over', async () => {
  const verifier = new LogVerifier({ origin: signer.origin, keys: [signer.vkey] });
  const head = await base();
  const path = await kept('tail', tail);
  const { entries, stops } = await measureLoss({ verifier, head, outside: null, tail: path, mostTold: 2 });
  expect(entries?.map(({ kind }) => kind)).toEqual(['backup.taken', 'hold.placed']);
  expect(stops.map(({ kind }) => kind)).toEqual(['hold.placed', 'hold.placed', 'token.revoked']);
});

test('it starts, with what was in force at the backup, and a new token for a person who asks for one', async () => {
  const restored = await restore({ acceptLoss: true, administrator: 'alice', freezeAll: true });
  expect(restored).toMatchObject({ everythingFrozen: true, tokenFile: join(home, 'admin', 'token') });
  const again = await TestInstance.open(home);
  try {
    const shown = await again.call('GET', '/v1/credentials/lean%2Fsandbox');
    expect(shown.status, shown.text).toBe(200);
    const [begun] = await again.entries('log.generation-started');
    expect(begun).toMatchObject({
      index: restored.size,
      actor: 'local:restore',
      data: { generation: 2, lostFrom: null },
    });
    const [hold] = (await again.call('GET', '/v1/holds')).body['items'] as { target: string; subject: string }[];
    expect(hold).toMatchObject({ target: 'store', subject: 'file' });
    // What is recorded from now on is of the new generation, after a restart too.
    await again.restart();
    expect((await again.call('GET', '/v1/audit/checkpoint')).text).toContain('\ngeneration 2\n');
  } finally {
    await again.serving.stop();
  }
}, 60_000);

test('a file that is no journal is refused under the name that it was given by', async () => {
  const path = join(place, `${attempt}-no-journal`);
  await writeFile(path, 'nothing of the kind', { mode: 0o600 });
  await expect(restore({ acceptLoss: true, journal: path })).rejects.toMatchObject({
    code: 'invalid_input',
    message: `${path} is no emergency journal of Keyturn.`,
  });
});

test('the emergency journal of the lost machine is replayed', async () => {
  const path = join(place, `${attempt}-journal`);
  const journal = await EmergencyJournal.open(path);
  const never = { thaw_asked_by: null, thaw_asked_at: null, lifted_by: null, lifted_at: null };
  const row = {
    id: 'hold_1',
    target: 'credential',
    subject: 'lean/sandbox',
    reason: 'r',
    placed_by: 'person:bob',
    placed_at: 1,
    ...never,
  } as const;
  await journal.append({ ...row });
  await journal.close();
  // As whoever saved it from the lost machine left it.
  await chmod(path, 0o644);
  expect(await restore({ acceptLoss: true, journal: path })).toMatchObject({ frozen: 1, torn: 0 });
});

test('what is torn in that journal is told, and on the log', async () => {
  const path = join(place, `${attempt}-torn`);
  const journal = await EmergencyJournal.open(path);
  await journal.append({ id: 'hold_1' });
  await journal.close();
  const file = await open(path, 'r+');
  await file.write(Buffer.from('X'), 0, 1, 45);
  await file.close();
  expect(await restore({ acceptLoss: true, journal: path })).toMatchObject({ frozen: 0, torn: 1 });
});

test('a second restore of the same backup is a later generation than the first, as the outside tells', async () => {
  await restore({ acceptLoss: true });
  const first = await readFile(join(home, 'checkpoint', 'checkpoint'), 'utf8');
  expect(first).toContain('\ngeneration 2\n');
  attempt += 1;
  home = join(place, `home-${attempt}`);
  const checkpoint = await kept('checkpoint', first);
  await expect(restore({ checkpoint })).rejects.toMatchObject({ code: 'loss_not_accepted' });
  expect(await restore({ checkpoint, acceptLoss: true })).toMatchObject({ generation: 3 });
  attempt += 1;
  home = join(place, `home-${attempt}`);
  expect(await restore({ acceptLoss: true, generation: 7 })).toMatchObject({ generation: 7 });
});
