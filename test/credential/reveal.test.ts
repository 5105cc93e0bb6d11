import { afterEach, beforeEach, expect, test } from 'vitest';
import { allowReveal, failNextWrite, opened, Stage } from './stage.ts';

let stage: Stage;
let carol: string;
beforeEach(async () => {
  stage = await Stage.set();
  carol = await allowReveal(stage, 'person:carol');
});
afterEach(() => stage.strike());

test('the very key, sealed to one process, with an entry that tells who, why and whence', async () => {
  const issued = await stage.ca.client();
  await stage.import('lean/sandbox', issued);
  const reply = await stage.reveal(carol);
  expect(reply.status).toBe(200);
  expect(opened(reply).get('key')).toEqual(issued.privateKey.export({ format: 'der', type: 'pkcs8' }));
  expect(await stage.keyturn.entries('key.revealed')).toMatchObject([
    { actor: 'person:carol', version: 1, data: { reason: 'a test', host: '127.0.0.1' } },
  ]);
  expect(reply.text).not.toContain('PRIVATE KEY');
});

test('nobody but a person who was given that very permission', async () => {
  await stage.import();
  const service = await stage.keyturn.grant('service:robot', 'revealer');
  for (const token of [stage.keyturn.admin, service]) {
    expect(await stage.reveal(token)).toMatchObject({ status: 403, body: { code: 'permission_denied' } });
  }
  expect(await stage.keyturn.entries('key.revealed')).toEqual([]);
});

test('not of a frozen version, nor of one that is not settled', async () => {
  await stage.import();
  void failNextWrite(stage.driver, 'after');
  await stage.import();
  expect(await stage.reveal(carol, 2)).toMatchObject({ status: 409, body: { code: 'version_state' } });
  expect(await stage.reveal(carol, 3)).toMatchObject({ status: 404 });
  await stage.freeze('version', 'lean/sandbox', { version: 1 });
  expect(await stage.reveal(carol)).toMatchObject({ status: 403, body: { code: 'held' } });
});
