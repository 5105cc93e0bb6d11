import { describe, expect, test } from 'vitest';
import { isKeyturnError } from '../../../src/core/errors.ts';
import { parseForm } from '../../../src/server/http/read-form.ts';

const TYPE = 'multipart/form-data; boundary=x';
const file = (name: string, content: string) =>
  `--x\r\ncontent-disposition: form-data; name="file"; filename="${name}"\r\n\r\n${content}\r\n`;
const field = (name: string, content: string) =>
  `--x\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${content}\r\n`;
const END = '--x--\r\n';
const parse = (text: string, type = TYPE) => parseForm(Buffer.from(text), type);

/** Every Buffer that was made while `work` ran and holds `content`. */
async function copiesOf(content: string, work: () => Promise<unknown>): Promise<Buffer[]> {
  const made: Buffer[] = [];
  const allocUnsafeSlow = Buffer.allocUnsafeSlow.bind(Buffer);
  Buffer.allocUnsafeSlow = (size: number) => {
    const buffer = allocUnsafeSlow(size);
    made.push(buffer);
    return buffer;
  };
  try {
    await work();
  } finally {
    Buffer.allocUnsafeSlow = allocUnsafeSlow;
  }
  return made.filter((buffer) => buffer.includes(content));
}

test('files and fields come out as they went in', async () => {
  const { files, fields } = await parse(
    file('a.pem', 'A\r\nB') + field('environment', 'sandbox') + file('b', '') + END,
  );
  expect(files.map(({ field: f, name, bytes }) => [f, name, bytes.toString()])).toEqual([
    ['file', 'a.pem', 'A\r\nB'],
    ['file', 'b', ''],
  ]);
  expect({ ...fields }).toEqual({ environment: 'sandbox' });
});

describe('refused', () => {
  const whole = file('a', 'secret octets') + field('environment', 'sandbox') + END;

  test('cut short at any octet: an answer all the same, and nothing left of the file', async () => {
    for (let length = 0; length < whole.length - 4; length += 1) {
      const outcome = parse(whole.slice(0, length)).catch((error: unknown) => error);
      const left = await copiesOf('secret octets', () => outcome);
      const error = await outcome;
      expect([length, isKeyturnError(error, 'invalid_input')]).toEqual([length, true]);
      expect(left).toEqual([]);
    }
  });

  test.each([
    ['nine files', file('a', 'x').repeat(9) + END, 'payload_too_large'],
    ['seventeen fields', Array.from({ length: 17 }, (_, n) => field(`f${n}`, 'x')).join('') + END, 'payload_too_large'],
    ['a file of 1 MiB and an octet', file('a', 'x'.repeat(1024 * 1024 + 1)) + END, 'payload_too_large'],
    ['a field of 2 kB', field('environment', 'x'.repeat(2_048)) + END, 'payload_too_large'],
    ['a field twice', field('environment', 'a') + field('environment', 'b') + END, 'invalid_input'],
    ['no part at all, unended', '', 'invalid_input'],
    ['another boundary', (file('a', 'x') + END).replaceAll('--x', '--y'), 'invalid_input'],
  ])('%s', async (_what, text, code) => {
    await expect(parse(text)).rejects.toMatchObject({ code });
  });

  test.each(['multipart/form-data', 'multipart/form-data; boundary=', 'multipart/form-data; boundary=\u0000'])(
    'the type %j',
    async (type) => {
      await expect(async () => parse(END, type)).rejects.toMatchObject({ code: 'invalid_input' });
    },
  );

  test('of a form that is refused for a later part nothing is left in memory', async () => {
    const left = await copiesOf('secret octets', () =>
      parse(file('a', 'secret octets') + file('b', 'x'.repeat(1024 * 1024 + 1)) + END).catch(() => undefined),
    );
    expect(left).toEqual([]);
  });
});

test('names of fields that reach a prototype are fields, no more', async () => {
  const { fields } = await parse(field('__proto__', 'x') + field('constructor', 'y') + END);
  expect(Object.getPrototypeOf(fields)).toBe(null);
  expect(Object.keys(fields)).toEqual(['__proto__', 'constructor']);
});
