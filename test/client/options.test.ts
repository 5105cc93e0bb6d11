import { expect, test } from 'vitest';
import { type ConnectOptions, type CredentialOptions, connect } from '../../src/client/index.ts';
import { CREDENTIAL, TOKEN } from '../fakes/keyturn-server.ts';
import { startScene } from './setup.ts';

test('without TypeScript too, an option of connect that can not be is refused by its name', async () => {
  await using scene = await startScene();
  const good = { connection: scene.keyturn.connection(), token: () => Buffer.from(TOKEN) };
  const wrong: [name: string, options: unknown][] = [
    ['connect takes an object', undefined],
    ['connect takes an object', 'connection.json'],
    ['"token"', { connection: good.connection }],
    ['"token"', { ...good, token: Buffer.from(TOKEN) }],
    ['"timeoutMs"', { ...good, timeoutMs: 0 }],
    ['"timeoutMs"', { ...good, timeoutMs: Number.NaN }],
    ['"timeoutMs"', { ...good, timeoutMs: '5000' }],
  ];
  for (const [name, options] of wrong) {
    const refused = { code: 'invalid_input', message: expect.stringContaining(name) };
    await expect(connect(options as ConnectOptions)).rejects.toMatchObject(refused);
  }
});

test('so is one of a credential, and a name that is none', async () => {
  await using scene = await startScene();
  const asked = scene.keyturn.arrived.length;
  const wrong: [name: string, options: unknown][] = [
    ['"ttlSeconds"', { ttlSeconds: '60' }],
    ['"ttlSeconds"', { ttlSeconds: 0 }],
    ['"ttlSeconds"', { ttlSeconds: 60.5 }],
    ['"ttlSeconds"', { ttlSeconds: 86_401 }],
    ['"drainMs"', { drainMs: Number.NaN }],
    ['"drainMs"', { drainMs: -1 }],
    ['options of a credential', null],
    ['options of a credential', 60],
  ];
  for (const [name, options] of wrong) {
    const refused = { code: 'invalid_input', message: expect.stringContaining(name) };
    await expect(scene.client.credential(CREDENTIAL, options as CredentialOptions)).rejects.toMatchObject(refused);
  }
  await expect(scene.client.credential(undefined as unknown as string)).rejects.toMatchObject({
    code: 'invalid_input',
  });
  expect(scene.keyturn.arrived).toHaveLength(asked);
});

test('what a server finds wrong with a call is told by its code', async () => {
  await using scene = await startScene();
  scene.keyturn.trouble = { kind: 'problem', status: 400, code: 'invalid_input' };
  await expect(scene.client.credential(CREDENTIAL)).rejects.toMatchObject({
    code: 'invalid_input',
    message: 'Said: invalid_input.',
  });
});
