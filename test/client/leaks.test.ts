import { once } from 'node:events';
import { request } from 'node:https';
import { inspect } from 'node:util';
import * as undici from 'undici';
import { expect, test } from 'vitest';
import { type Scene, startScene } from './setup.ts';

const APP_TOKEN = 'canary-companion-4711';

/** The private key as it would show in text: PEM lines and DER, in the encodings that text has for octets. */
function canaries(scene: Scene): string[] {
  const { privateKey, keyPem } = scene.keyturn.lent.issued;
  const der = privateKey.export({ format: 'der', type: 'pkcs8' });
  const scalar = Buffer.from(String(privateKey.export({ format: 'jwk' }).d), 'base64url');
  const lines = keyPem.split('\n').filter((line) => line !== '' && !line.startsWith('-----'));
  // From the middle of the encoding on, so that the place in a group of three does not matter.
  const base64 = (octets: Buffer) => [0, 1, 2].map((skip) => octets.subarray(skip, 24).toString('base64').slice(4, 24));
  const spaced = (octets: Buffer) => (octets.toString('hex', 0, 12).match(/../g) ?? []).join(' ');
  return [
    ...lines,
    'PRIVATE KEY',
    APP_TOKEN,
    ...[der.subarray(30), scalar, Buffer.from(APP_TOKEN)].flatMap((octets) => [
      octets.toString('hex', 0, 12),
      spaced(octets),
      [...octets.subarray(0, 8)].join(', '),
      [...octets.subarray(0, 8)].join(','),
      ...base64(octets),
      scalar.toString('base64url').slice(4, 24),
    ]),
  ];
}

function everythingOf(value: unknown): string {
  const shown = inspect(value, {
    depth: 10,
    showHidden: true,
    getters: true,
    maxArrayLength: null,
    maxStringLength: null,
  });
  let json = '';
  try {
    json = JSON.stringify(value) ?? '';
  } catch {
    // Sockets and requests are rings.
  }
  return `${shown}\n${json}\n${String(value)}`;
}

test('no key octet and no companion shows in any object that an application can hold or log', async () => {
  await using scene = await startScene({ lent: { companions: { 'lean-app-token': APP_TOKEN } } });
  const { credential, client, partner } = scene;
  const agent = credential.mtlsAgent();
  const dispatcher = credential.dispatcher(undici);
  const sent = request(partner.url, { agent }).end();
  const [response] = await once(sent, 'response');
  response.resume();
  await once(response, 'end');
  await (await undici.request(partner.url, { dispatcher })).body.dump();
  const refused = await credential.fetch('https://example.test').catch((error: unknown) => error);
  const idle = Object.keys({ ...agent.freeSockets, ...agent.sockets });
  const things = { credential, client, agent, dispatcher, sent, response, socket: response.socket, refused, idle };
  const told = scene.told.events;
  for (const [name, thing] of Object.entries({ ...things, told, status: credential.status() })) {
    const shown = everythingOf(thing);
    for (const canary of canaries(scene)) expect([name, shown.includes(canary)]).toEqual([name, false]);
  }
});

test('the control: the same search finds the key in an agent with PEM options', async () => {
  await using scene = await startScene();
  const { Agent } = await import('node:https');
  const agent = new Agent({ key: scene.keyturn.lent.issued.keyPem });
  const shown = everythingOf(agent);
  expect(canaries(scene).some((canary) => shown.includes(canary))).toBe(true);
});

test('a companion is a copy: wiping it leaves the next one whole', async () => {
  await using scene = await startScene({ lent: { companions: { 'lean-app-token': APP_TOKEN } } });
  scene.credential.companion('lean-app-token').fill(0);
  expect(scene.credential.companion('lean-app-token').toString()).toBe(APP_TOKEN);
  expect(() => scene.credential.companion('other')).toThrow(
    expect.objectContaining({ code: 'companion_missing', fix: 'It has: lean-app-token.' }),
  );
});
