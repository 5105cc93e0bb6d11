import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import axios from 'axios';
import { expect, test } from 'vitest';
import { keyturnErrorIn } from '../../../src/client/index.ts';
import { startScene } from '../setup.ts';

test('a timeout signal rejects with its TimeoutError while the partner says nothing', async () => {
  await using scene = await startScene();
  const hanging = scene.credential.fetch(`${scene.partner.url}/hang`, { signal: AbortSignal.timeout(50) });
  await expect(hanging).rejects.toMatchObject({ name: 'TimeoutError', constructor: DOMException });
  await expect(scene.credential.fetch(scene.partner.url)).resolves.toMatchObject({ status: 200 });
});

test('a call that fails before it is sent leaves no connection and no second rejection behind', async () => {
  await using scene = await startScene();
  const forged = scene.credential.fetch(scene.partner.url, { headers: { 'x-name': 'a\r\nx-admin: yes' } });
  await expect(forged).rejects.toMatchObject({ code: 'ERR_INVALID_CHAR' });
  await (await scene.credential.fetch(scene.partner.url)).text();
  const { server } = scene.partner;
  expect(await promisify(server.getConnections.bind(server))()).toBe(1);
});

test('a partner that switches protocols unasked gets no connection, and the call is rejected', async () => {
  await using scene = await startScene();
  const { server, url, endpoint } = scene.partner;
  server.removeAllListeners('request');
  const sockets: Socket[] = [];
  server.on('request', ({ socket }) => {
    sockets.push(socket);
    socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: mine\r\n\r\nhello');
  });
  const rejected = { code: 'partner_unreachable', message: expect.stringContaining(endpoint) };
  await expect(scene.credential.fetch(url)).rejects.toMatchObject(rejected);
  await expect.poll(() => sockets[0]?.destroyed).toBe(true);
});

test('a body stream that fails rejects with its own error', async () => {
  await using scene = await startScene();
  const mine = new Error('the file is gone');
  const bodies = [
    new ReadableStream({ pull: (controller) => controller.error(mine) }),
    Readable.from(
      (async function* () {
        yield 'begun';
        throw mine;
      })(),
    ),
  ];
  for (const body of bodies) {
    const post = scene.credential.fetch(`${scene.partner.url}/echo`, { method: 'POST', body });
    await expect(post).rejects.toBe(mine);
  }
});

test.each([
  ['a header of the connection', { headers: { 'Transfer-Encoding': 'chunked' } }, 'transfer-encoding'],
  ['an upgrade', { headers: [['connection', 'upgrade']] as [string, string][] }, 'connection'],
  ['a tunnel', { method: 'connect' }, 'CONNECT'],
  ['a trace', { method: 'TRACE' }, 'TRACE'],
  ['a body with GET', { body: 'x' }, 'GET'],
  ['a body with HEAD', { method: 'head', body: 'x' }, 'HEAD'],
])('%s is refused as a wrong call', async (_, init, name) => {
  await using scene = await startScene();
  const call = scene.credential.fetch(scene.partner.url, init);
  await expect(call).rejects.toMatchObject({ code: 'invalid_input', message: expect.stringContaining(name) });
  expect(scene.partner.seen).toEqual([]);
});

test('a Request is no URL, and the refusal says so', async () => {
  await using scene = await startScene();
  const request = new Request(scene.partner.url) as unknown as URL;
  const call = scene.credential.fetch(request);
  await expect(call).rejects.toMatchObject({ code: 'invalid_input', message: expect.stringContaining('Request') });
});

test('when the application gives a request up, the partner is not blamed', async () => {
  await using scene = await startScene();
  const http = axios.create({ httpsAgent: scene.credential.mtlsAgent(), proxy: false });
  await http.get(scene.partner.url);
  for (const given of [{ timeout: 50 }, { signal: AbortSignal.timeout(50) }]) {
    const error: unknown = await http.get(`${scene.partner.url}/hang`, given).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(axios.AxiosError);
    expect(keyturnErrorIn(error)).toBeNull();
  }
});
