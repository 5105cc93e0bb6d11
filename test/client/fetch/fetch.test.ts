import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import type { FetchInit } from '../../../src/client/index.ts';
import { type Scene, startScene } from '../setup.ts';

test('an answer is a Response with status, headers, url and every way to read a body', async () => {
  await using scene = await startScene();
  const get = () => scene.credential.fetch(`${scene.partner.url}/a?b=c#d`);
  const response = await get();
  expect(response).toBeInstanceOf(Response);
  expect(response).toMatchObject({ status: 200, ok: true, redirected: false, url: `${scene.partner.url}/a?b=c` });
  expect(response.headers.get('X-Serial')).toBe(scene.partner.seen[0]?.serial);
  const body = await response.text();
  expect(JSON.parse(body)).toMatchObject({ commonName: 'v1' });
  const reads: ((response: Response) => Promise<unknown>)[] = [
    async (read) => JSON.stringify(await read.json()),
    async (read) => Buffer.from(await read.arrayBuffer()).toString(),
    async (read) => Buffer.from(await read.bytes()).toString(),
    async (read) => (await read.blob()).text(),
    async (read) => Buffer.concat(await Array.fromAsync(read.body!)).toString(),
    async (read) => new Response(read.body).text(),
    async (read) => `${await read.clone().text()}`,
  ];
  for (const read of reads) expect(await read(await get())).toBe(body);
});

test('a body is read once, as the runtime has it', async () => {
  await using scene = await startScene();
  const response = await scene.credential.fetch(scene.partner.url);
  expect(response.bodyUsed).toBe(false);
  await response.text();
  expect(response.bodyUsed).toBe(true);
  await expect(response.json()).rejects.toThrow(TypeError);
  await expect(response.blob()).rejects.toThrow(TypeError);
  expect(() => response.clone()).toThrow(TypeError);
});

test('statuses without a body have none', async () => {
  await using scene = await startScene();
  for (const status of [204, 304]) {
    const response = await scene.credential.fetch(`${scene.partner.url}/status/${status}`);
    expect([response.status, response.body, await response.text()]).toEqual([status, null, '']);
  }
});

test('bodies go out as strings, octets, forms and streams, with the type that each implies', async () => {
  await using scene = await startScene();
  const post = async (body: unknown) => {
    const init = { method: 'post', body } as RequestInit;
    return (await scene.credential.fetch(`${scene.partner.url}/echo`, init as never)).text();
  };
  async function* pieces() {
    yield Buffer.from('one,');
    yield Buffer.from('two');
  }
  expect(await post('text')).toBe('text');
  expect(await post(Buffer.from('octets'))).toBe('octets');
  expect(await post(new URLSearchParams({ a: 'b c' }))).toBe('a=b+c');
  expect(await post(Readable.from(pieces()))).toBe('one,two');
  expect(await post(ReadableStream.from(pieces()))).toBe('one,two');
  const form = new FormData();
  form.set('field', 'value');
  expect(await post(form)).toContain('name="field"');
});

test('a request names its user agent as the global fetch does: there are firewalls that refuse one without', async () => {
  await using scene = await startScene();
  const { headers } = (await (await scene.credential.fetch(scene.partner.url)).json()) as { headers: object };
  expect(headers).toMatchObject({ accept: '*/*', 'user-agent': 'node' });
});

test('headers of the caller win over ours', async () => {
  await using scene = await startScene();
  const headers = {
    accept: 'application/json',
    'User-Agent': 'payments/1',
    'Lean-App-Token': 't',
    'content-type': 'application/json',
  };
  const response = await scene.credential.fetch(`${scene.partner.url}/post`, { method: 'POST', body: '{}', headers });
  const { headers: arrived } = (await response.json()) as { headers: Record<string, string> };
  expect(arrived).toMatchObject({
    accept: 'application/json',
    'user-agent': 'payments/1',
    'lean-app-token': 't',
    'content-type': 'application/json',
  });
  expect(arrived).toMatchObject({ 'content-length': '2' });
});

test('a large body arrives as it is read, and no faster', async () => {
  await using scene = await startScene();
  const megabytes = 32;
  let sent = 0;
  const source = new Readable({
    read() {
      this.push(sent < megabytes ? Buffer.alloc(1_048_576, sent) : null);
      sent += 1;
    },
  });
  const response = await scene.credential.fetch(`${scene.partner.url}/echo`, { method: 'POST', body: source });
  const reader = response.body!.getReader();
  await reader.read();
  for (let turn = 0; turn < 3_000; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  expect(sent).toBeLessThan(megabytes);
  let octets = 0;
  for (let part = await reader.read(); !part.done; part = await reader.read()) octets += part.value.length;
  expect(octets).toBeGreaterThan((megabytes - 1) * 1_048_576);
});

test('redirects are answers, or errors when asked for, and never followed', async () => {
  await using scene = await startScene();
  const url = `${scene.partner.url}/redirect`;
  const response = await scene.credential.fetch(url);
  expect([response.status, response.headers.get('location')]).toEqual([302, 'https://elsewhere.example/']);
  await expect(scene.credential.fetch(url, { redirect: 'error' })).rejects.toMatchObject({ code: 'invalid_input' });
  const follow = { redirect: 'follow' } as never;
  await expect(scene.credential.fetch(url, follow)).rejects.toMatchObject({ code: 'invalid_input' });
});

test('an abort rejects with its reason, before, during and after the answer', async () => {
  await using scene = await startScene();
  const reason = new Error('enough');
  const get = (path: string, signal: AbortSignal) => scene.credential.fetch(`${scene.partner.url}${path}`, { signal });
  await expect(get('/', AbortSignal.abort(reason))).rejects.toBe(reason);
  const during = new AbortController();
  const running = get('/hang', during.signal);
  await expect.poll(() => scene.partner.seen.length).toBe(1);
  during.abort(reason);
  await expect(running).rejects.toBe(reason);
  const after = new AbortController();
  const body = new Readable({ read() {} });
  body.push('begun');
  const init = { method: 'POST', body, signal: after.signal };
  const response = await scene.credential.fetch(`${scene.partner.url}/echo`, init);
  after.abort(reason);
  await expect(response.text()).rejects.toBe(reason);
});

/** That a connection whose answer nobody reads is used again, as soon as the answer is there. */
async function expectFreed({ credential, partner }: Scene, url: string, init?: FetchInit): Promise<void> {
  const usedAgain = async (): Promise<number> => {
    expect((await credential.fetch(url, init)).status).toBe(200);
    return partner.seen.length - new Set(partner.seen.map(({ socket }) => socket)).size;
  };
  await expect.poll(usedAgain, { timeout: 5_000 }).toBeGreaterThan(0);
}

test('a connection is free again when only the status of a short answer was looked at', async () => {
  await using scene = await startScene();
  await expectFreed(scene, scene.partner.url);
});

const UNREAD: Record<string, FetchInit> = {
  'of unknown length': { method: 'POST', body: 'short' },
  'to HEAD, with a long length of what is not sent': { method: 'HEAD', headers: { 'x-length': '10000000' } },
};

for (const [what, init] of Object.entries(UNREAD)) {
  test(`neither does an answer ${what} hold its connection`, async () => {
    await using scene = await startScene();
    await expectFreed(scene, `${scene.partner.url}/echo`, init);
  });
}

test('an answer to HEAD has an empty body, and the headers of the whole', async () => {
  await using scene = await startScene();
  const init = { method: 'HEAD', headers: { 'x-length': '10000000' } };
  const response = await scene.credential.fetch(`${scene.partner.url}/echo`, init);
  expect([response.headers.get('content-length'), await response.text()]).toEqual(['10000000', '']);
});

test('a body of unknown length is whole however late it is asked for, and by whatever way', async () => {
  await using scene = await startScene();
  const ways: Record<string, (response: Response) => Promise<number>> = {
    bytes: async (response) => (await response.bytes()).length,
    text: async (response) => (await response.text()).length,
    clone: async (response) => (await response.clone().text()).length,
    stream: async (response) => {
      let length = 0;
      for await (const chunk of response.body!) length += chunk.length;
      return length;
    },
  };
  // Less and more than what is taken at once, and none.
  for (const length of [0, 1, 65_536, 65_537, 1_000_000]) {
    for (const late of [0, 20]) {
      for (const [way, read] of Object.entries(ways)) {
        const init = { method: 'POST', body: 'x'.repeat(length) };
        const response = await scene.credential.fetch(`${scene.partner.url}/echo`, init);
        await new Promise((resolve) => setTimeout(resolve, late));
        expect([way, late, await read(response)]).toEqual([way, late, length]);
      }
    }
  }
});

test('what is no call for a partner is refused without quoting it', async () => {
  await using scene = await startScene();
  for (const url of ['/relative', 'https://user:secret@localhost/', 'nonsense secret']) {
    const error: Error = (await scene.credential.fetch(url).then(String, (reason: Error) => reason)) as Error;
    expect(error).toMatchObject({ code: 'invalid_input' });
    expect(error.message).not.toContain('secret');
  }
});
