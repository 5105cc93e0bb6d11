import { once } from 'node:events';
import { request } from 'node:https';
import { json } from 'node:stream/consumers';
import axios from 'axios';
import got from 'got';
import * as undici from 'undici';
import { expect, test } from 'vitest';
import { promote, startScene } from './setup.ts';

test('https, axios, got, fetch, undici and the global fetch all show the leased certificate', async () => {
  await using scene = await startScene();
  const { credential, partner } = scene;
  const agent = credential.mtlsAgent();
  const sent = request(`${partner.url}/https`, { agent }).end();
  const [response] = await once(sent, 'response');
  expect(await json(response)).toMatchObject({ commonName: 'v1' });
  expect((await axios.get(`${partner.url}/axios`, { httpsAgent: agent })).data).toMatchObject({ commonName: 'v1' });
  expect(await got(`${partner.url}/got`, { agent: { https: agent } }).json()).toMatchObject({ commonName: 'v1' });
  expect(await (await credential.fetch(`${partner.url}/fetch`)).json()).toMatchObject({ commonName: 'v1' });
  const dispatcher = credential.dispatcher(undici);
  expect(await (await undici.request(`${partner.url}/undici`, { dispatcher })).body.json()).toMatchObject({
    commonName: 'v1',
  });
  expect(await (await undici.fetch(`${partner.url}/undici-fetch`, { dispatcher })).json()).toMatchObject({
    commonName: 'v1',
  });
  const builtIn = await fetch(`${partner.url}/global-fetch`, { dispatcher } as unknown as RequestInit);
  expect(await builtIn.json()).toMatchObject({ commonName: 'v1' });
  expect(partner.seen.map(({ path }) => path)).toHaveLength(7);
});

test('a renewal that finds another version swaps it in under the same agent, and the old one drains', async () => {
  await using scene = await startScene();
  const { credential, partner, told } = scene;
  const agent = credential.mtlsAgent();
  await axios.get(partner.url, { httpsAgent: agent });
  await promote(scene, 2);
  await credential.renew();
  expect(credential.mtlsAgent()).toBe(agent);
  expect(credential.version).toBe(2);
  expect((await axios.get(partner.url, { httpsAgent: agent })).data).toMatchObject({ commonName: 'v2' });
  await told.until('drained');
  expect(told.events.map(({ name }) => name)).toEqual(['leased', 'renewed', 'rotated', 'drained']);
  expect(told.of('drained')).toEqual([{ credential: 'lean/sandbox', version: 1, cut: 0 }]);
});

test('a credential that was asked for when the client is closed is told so, not as an outage', async () => {
  await using scene = await startScene();
  const calls = scene.keyturn.arrived.length;
  scene.keyturn.trouble = { kind: 'hang' };
  const asked = scene.client.credential('lean/sandbox').catch((error: unknown) => error);
  await expect.poll(() => scene.keyturn.arrived.length).toBe(calls + 1);
  scene.keyturn.trouble = null;
  await scene.client.close();
  expect(await asked).toMatchObject({ code: 'client_closed' });
});
