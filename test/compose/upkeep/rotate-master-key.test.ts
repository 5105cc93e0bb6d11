import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadConfig } from '../../../src/compose/config.ts';
import { cannotAsk } from '../../../src/compose/master-key.ts';
import { openInstance } from '../../../src/compose/open.ts';
import { rotateMasterKey } from '../../../src/compose/upkeep/rotate-master-key.ts';
import { verifyStore } from '../../../src/compose/upkeep/verify-store.ts';
import { SecretBytes } from '../../../src/core/secret-bytes.ts';
import { madeHome } from '../home.ts';

const next = async () => SecretBytes.copyOf(Buffer.from('five random words in a row'));

test('from a key file to a passphrase: the new one alone opens it, comments stay, the log tells', async () => {
  await using home = await madeHome();
  const config = join(home.path, 'keyturn.yaml');
  await writeFile(config, `# our own remark\n${await readFile(config, 'utf8')}`);
  const before = await loadConfig(home.path);
  const { generation } = await rotateMasterKey(before, { passphrase: 'prompt' }, { current: cannotAsk, next });

  expect(await readFile(config, 'utf8')).toContain('# our own remark');
  const after = await loadConfig(home.path);
  expect(after.masterKey).toEqual({ passphrase: 'prompt' });
  expect(await verifyStore(after, next)).toMatchObject({ generation, lockedWith: 'passphrase' });
  await expect(openInstance(before, { ask: cannotAsk })).rejects.toMatchObject({ code: 'master_key_wrong' });
  const instance = await openInstance(after, { ask: next });
  const [entry] = await instance.desk.ledger.entries({ kind: 'store.master-key-rotated' });
  await instance.close();
  expect(JSON.parse(entry?.json ?? '{}')).toMatchObject({
    actor: 'local:cli',
    data: { generation, kind: 'passphrase' },
  });
});

test('a new passphrase that is too short changes nothing', async () => {
  await using home = await madeHome();
  const config = await loadConfig(home.path);
  const short = async () => SecretBytes.copyOf(Buffer.from('short'));
  const asked = { current: cannotAsk, next: short };
  await expect(rotateMasterKey(config, { passphrase: 'prompt' }, asked)).rejects.toMatchObject({
    code: 'invalid_input',
  });
  expect(await verifyStore(await loadConfig(home.path), cannotAsk)).toMatchObject({ lockedWith: 'key' });
});
