import { openAsBlob } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { FetchInit } from '../../../src/client/index.ts';
import { startScene } from '../setup.ts';

type BodyInit = NonNullable<FetchInit['body']>;

const KINDS: Record<string, [body: BodyInit, type: string | undefined, length: number]> = {
  'a text': ['grün', 'text/plain;charset=UTF-8', 5],
  'a query, as token endpoints want it': [
    new URLSearchParams({ grant_type: 'client_credentials', scope: 'a b' }),
    'application/x-www-form-urlencoded;charset=UTF-8',
    39,
  ],
  'a Buffer': [Buffer.from('abc'), undefined, 3],
  'an ArrayBuffer': [new Uint8Array([1, 2, 3]).buffer, undefined, 3],
  'a part of an ArrayBuffer': [new DataView(new ArrayBuffer(8), 2, 3), undefined, 3],
  numbers: [new Uint16Array([1, 2]), undefined, 4],
  'a Blob': [new Blob(['abc'], { type: 'image/png' }), 'image/png', 3],
  'a Blob of no type': [new Blob(['abc']), undefined, 3],
  'an empty Blob': [new Blob([]), undefined, 0],
};

test.each(Object.entries(KINDS))('%s is sent with its length, not in chunks', async (_, [body, type, length]) => {
  await using scene = await startScene();
  const post = (path: string) => scene.credential.fetch(`${scene.partner.url}${path}`, { method: 'POST', body });
  const { headers } = (await (await post('/')).json()) as { headers: Record<string, string> };
  expect(headers).toMatchObject({ 'content-length': String(length) });
  expect([headers['content-type'], headers['transfer-encoding']]).toEqual([type, undefined]);
  expect(await (await post('/echo')).bytes()).toEqual(await new Response(body as never).bytes());
});

test('a form is sent with its length, as the runtime would send it', async () => {
  await using scene = await startScene();
  const folder = await mkdtemp(join(tmpdir(), 'keyturn-form-'));
  await writeFile(join(folder, 'file'), 'x'.repeat(200_000));
  const form = new FormData();
  form.set('field', 'two\nlines\r\nthree\r');
  form.append('a "name"\nof two', '1');
  form.append('a "name"\nof two', '2');
  form.set('blob', new Blob(['abc']));
  form.set('grün', new File(['{}'], 'a "file"\r\n.json', { type: 'application/json' }));
  form.set('stored', await openAsBlob(join(folder, 'file')), 'stored.bin');
  const post = (path: string) => scene.credential.fetch(`${scene.partner.url}${path}`, { method: 'POST', body: form });
  const { headers } = (await (await post('/')).json()) as { headers: Record<string, string> };
  const sent = await (await post('/echo')).text();
  expect(headers['content-length']).toBe(String(Buffer.byteLength(sent)));
  const runtimes = new Response(form);
  const boundaryOf = (type: string | null) => /boundary=(.+)$/.exec(type ?? '')?.[1] ?? '';
  const own = /^--(.+)\r\n/.exec(sent)?.[1] ?? '';
  const theirs = (await runtimes.text()).replaceAll(boundaryOf(runtimes.headers.get('content-type')), own);
  expect(sent).toBe(theirs);
  expect(headers['content-type']).toMatch(/^multipart\/form-data; boundary=----keyturn-[0-9a-f]{32}$/);
  await rm(folder, { recursive: true });
});

test('a stream goes in chunks, unless the caller says its length', async () => {
  await using scene = await startScene();
  const post = async (headers: Record<string, string>) => {
    const body = new Blob(['abc']).stream() as BodyInit;
    const response = await scene.credential.fetch(scene.partner.url, { method: 'POST', body, headers });
    return ((await response.json()) as { headers: Record<string, string> }).headers;
  };
  expect((await post({}))['transfer-encoding']).toBe('chunked');
  expect((await post({ 'Content-Length': '3' }))['content-length']).toBe('3');
});
