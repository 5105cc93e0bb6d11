import { createPrivateKey } from 'node:crypto';
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { join } from 'node:path';
import { newIdentity, openIdentity } from '../../../src/backup/identity.ts';
import { cannotAsk } from '../../../src/compose/master-key.ts';
import { type RestoreOptions, restoreBackup } from '../../../src/compose/restore/restore.ts';
import { SecretBytes } from '../../../src/core/secret-bytes.ts';
import { generateX25519 } from '../../../src/sealed/x25519.ts';
import type { Reply } from '../instance.ts';
import type { Cast } from './cast.ts';

/** An identity that opens backups, whose private half is looked for as well; its file lies in `place`. */
export async function plantIdentity(place: string, { planted }: Pick<Cast, 'planted'>): Promise<string> {
  using passphrase = SecretBytes.copyOf(Buffer.from(planted.passphrase));
  const { file, recipient } = await newIdentity(passphrase);
  await writeFile(join(place, 'identity'), file.bytes, { mode: 0o600 });
  const key = await openIdentity(file.bytes, async () => SecretBytes.copyOf(Buffer.from(planted.passphrase)));
  planted.key('backup identity', createPrivateKey(key.export({ format: 'pem', type: 'pkcs8' })));
  return recipient;
}

/** Backups that are refused or break in the middle, and then one that is whole; it lies in `place`. */
export async function backUpWrongly(cast: Cast, place: string, recipient: string): Promise<void> {
  const { keyturn, tap, planted } = cast;
  const token = planted.token(
    'backup’s token',
    await keyturn.grant('service:backup', 'backup', { credentials: ['**'] }),
  );
  const take = (json: unknown, by = token) => tap.call('POST', '/v1/backups', { token: by, json });
  await take({ recipient: planted.pem('moved key').slice(0, 200) });
  await take({ recipient }, keyturn.admin);
  await cutOff(cast, token, recipient);
  const { ledger } = keyturn.serving.instance.desk;
  const commit = ledger.commit.bind(ledger);
  ledger.commit = async (change) => {
    if (change.entry.kind === 'backup.taken') throw new Error('the disk is gone');
    return commit(change);
  };
  await untilFree(() => take({ recipient }));
  ledger.commit = commit;
  const { status, raw, text } = await untilFree(() =>
    keyturn.call('POST', '/v1/backups', { token, json: { recipient } }),
  );
  if (status !== 201) throw new Error(`No backup: ${text}`);
  await writeFile(join(place, 'one.backup'), raw, { mode: 0o600 });
  await copyFile(join(keyturn.home, 'master', 'master.key'), join(place, 'master.key'));
  await writeFile(join(place, 'backup.token'), token, { mode: 0o600 });
}

/** The one that was cut off is over within moments. */
async function untilFree(take: () => Promise<Reply>): Promise<Reply> {
  for (let asked = 0; ; asked += 1) {
    const reply = await take();
    if (reply.status !== 409 || asked > 100) return reply;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** The connection ends with the first octets. */
async function cutOff({ keyturn }: Cast, token: string, recipient: string): Promise<void> {
  const body = JSON.stringify({ recipient });
  const headers = {
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    'content-length': body.length,
  };
  const ca = await keyturn.ca;
  await new Promise<void>((resolve) => {
    const sent = request(new URL('/v1/backups', keyturn.url), { method: 'POST', ca, agent: false, headers });
    sent.on('response', (response) => {
      response.on('data', () => sent.destroy());
      response.on('error', () => {});
    });
    sent.on('error', () => {});
    sent.on('close', resolve);
    sent.end(body);
  });
}

/** Restores that are refused, at each of their steps, and one that is done. Gives the codes. */
export async function restoreWrongly(cast: Cast, place: string): Promise<Set<unknown>> {
  const { planted, tap, thrown } = cast;
  const codes = new Set<unknown>();
  const octets = await readFile(join(place, 'one.backup'));
  const at = async (name: string, content: Buffer | string) => {
    await writeFile(join(place, name), content, { mode: 0o600 });
    return join(place, name);
  };
  const flipped = Buffer.from(octets);
  flipped[octets.length >> 1]! ^= 1;
  const { text: exported } = await tap.call('GET', '/v1/audit/export');
  const identityFile = await readFile(join(place, 'identity'));
  const opened = (by: string) => openIdentity(identityFile, async () => SecretBytes.copyOf(Buffer.from(by)));
  const always = { file: join(place, 'one.backup'), masterKeyFile: join(place, 'master.key'), ask: cannotAsk };
  const identity = await opened(planted.passphrase);
  const restore = (home: string, more: Partial<RestoreOptions> = {}) =>
    restoreBackup({ ...always, identity, home: join(place, home), ...more });
  const { privateKey: other } = generateX25519();
  const wrong: Readonly<Record<string, () => Promise<unknown>>> = {
    'a wrong passphrase': () => opened(planted.wrongPassphrase),
    'another identity': () => restore('a', { identity: other }),
    'cut off': async () => restore('a', { file: await at('cut', octets.subarray(0, octets.length - 9)) }),
    changed: async () => restore('a', { file: await at('flipped', flipped) }),
    'no master key': () => restore('a', { masterKeyFile: join(place, 'absent') }),
    'a PEM for a master key': async () => restore('a', { masterKeyFile: await at('pem', planted.pem('moved key')) }),
    'another master key': async () => restore('a', { masterKeyFile: await at('other', Buffer.alloc(32, 7)) }),
    'a key for a log key': () => restore('a', { keys: [planted.pem('moved key')] }),
    'a key for a checkpoint': async () => restore('a', { checkpoint: await at('check', planted.pem('moved key')) }),
    'a key for a tail': async () => restore('a', { tail: await at('tail', planted.pem('moved key')) }),
    'a changed tail': async () => restore('a', { tail: await at('tail', exported.replace('alice', 'malic')) }),
    'no word of the loss': () => restore('a'),
  };
  for (const [what, act] of Object.entries(wrong)) {
    try {
      await act();
      throw new Error(`Restored: ${what}`);
    } catch (error) {
      thrown.push(error);
      codes.add((error as { code?: unknown }).code);
    }
  }
  await restore('restored', { acceptLoss: true });
  return codes;
}
