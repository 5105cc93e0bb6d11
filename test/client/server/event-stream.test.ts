import { Readable } from 'node:stream';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readEvents, type StreamEvent } from '../../../src/client/server/event-stream.ts';

async function read(chunks: readonly Buffer[]): Promise<(StreamEvent | null)[]> {
  const events: (StreamEvent | null)[] = [];
  for await (const event of readEvents(Readable.from(chunks, { objectMode: true }))) events.push(event);
  return events;
}

const TEXT = [
  'retry: 2000\nid: 7\nevent: watching\ndata: {}\n\n',
  ': quiet\n\n',
  'id: 8\r\nevent: promoted\r\ndata: {"credential":"lean/sandbox"}\r\n\r\n',
  'event: frozen\ndata: one\ndata:two\ndata\n\n',
  'event: without data\n\n',
  'unknown: x\ndata: ünï\n\n',
  'data: cut off',
].join('');

const EXPECTED = [
  { type: 'watching', data: '{}', id: '7' },
  null,
  { type: 'promoted', data: '{"credential":"lean/sandbox"}', id: '8' },
  { type: 'frozen', data: 'one\ntwo\n', id: '8' },
  { type: 'message', data: 'ünï', id: '8' },
];

test('a stream is read the same however it is cut into chunks', async () => {
  const octets = Buffer.from(TEXT);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 0, max: octets.length }), { maxLength: 30 }), async (cuts) => {
      const places = [0, ...cuts.toSorted((a, b) => a - b), octets.length];
      const chunks = places.slice(1).map((to, at) => octets.subarray(places[at], to));
      expect(await read(chunks.filter(({ length }) => length > 0))).toEqual(EXPECTED);
    }),
  );
});

test('an event without an end is not kept for ever', async () => {
  const endless = Array.from({ length: 40 }, () => Buffer.from(`data: ${'x'.repeat(1_000)}\n`));
  await expect(read(endless)).rejects.toMatchObject({ code: 'server_unreachable' });
  await expect(read([Buffer.alloc(20_000, 'x')])).rejects.toMatchObject({ code: 'server_unreachable' });
});

test('any octets are events or an end', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.uint8Array({ minLength: 1 })), async (chunks) => {
      for (const event of await read(chunks.map((chunk) => Buffer.from(chunk)))) expect(event?.type).not.toBe('');
    }),
  );
});
