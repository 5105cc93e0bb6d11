import { crc32, deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ZipFile as YazlFile } from 'yazl';
import { readZip } from '../../src/x509/zip.ts';
import { type ForgedEntry, type ForgedZip, forgeZip } from './archive/forge-zip.ts';
import { orRefused, refusalOf } from './expect-refusal.ts';

const content = Buffer.from('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
const file = (name: string | Buffer, more: Partial<ForgedEntry> = {}): ForgedEntry => ({ name, content, ...more });

const padded = { size: 1000, crc32: crc32(Buffer.concat([content, Buffer.alloc(1000 - content.length)])) };

async function names(zip: Buffer): Promise<string[]> {
  return (await readZip(zip)).map(({ name }) => name);
}

async function expectRejected(found: RegExp, entries: readonly ForgedEntry[], archive: ForgedZip = {}): Promise<void> {
  const { message } = await refusalOf('archive_rejected', readZip(forgeZip(entries, archive)));
  expect(message).toMatch(found);
}

describe('what portals hand out is read', () => {
  test('deflated, stored and streamed entries give their content', async () => {
    const zip = forgeZip([
      file('a.pem'),
      file('b.pem', { stored: true }),
      file('c.pem', { streamed: 'with signature' }),
      file('d.pem', { streamed: 'without signature' }),
      file('empty.txt', { content: Buffer.alloc(0) }),
    ]);
    const files = await readZip(zip);
    expect(files.map(({ name }) => name)).toEqual(['a.pem', 'b.pem', 'c.pem', 'd.pem', 'empty.txt']);
    expect(files.slice(0, 4).every(({ bytes }) => bytes.equals(content))).toBe(true);
  });

  test('the upload is left as it was, so that its digest can be taken afterwards', async () => {
    const zip = forgeZip([file('a.pem', { stored: true }), file('b.pem')]);
    const before = Buffer.from(zip);
    await readZip(zip);
    expect(zip.equals(before)).toBe(true);
  });

  test('folders and macOS resource files are left out', async () => {
    const zip = forgeZip([
      file('certs/', { content: Buffer.alloc(0), mode: 0o040755, stored: true }),
      file('certs/my_app_cert.crt'),
      file('__MACOSX/certs/._my_app_cert.crt'),
      file('.DS_Store'),
    ]);
    expect(await names(zip)).toEqual(['certs/my_app_cert.crt']);
  });

  test('what another writer makes is read, in UTF-8 as well', async () => {
    const zip = new YazlFile();
    zip.addBuffer(content, 'ключ/my_app_cert.crt');
    zip.end();
    const chunks: Buffer[] = [];
    for await (const chunk of zip.outputStream as AsyncIterable<Buffer>) chunks.push(chunk);
    expect(await names(Buffer.concat(chunks))).toEqual(['ключ/my_app_cert.crt']);
  });
});

describe('hostile archives are refused, each by its name (Z1 to Z3)', () => {
  test.each([
    ['a symbolic link', 0o120777],
    ['a character device', 0o020666],
    ['a named pipe', 0o010644],
    ['a socket', 0o140755],
    ['a folder that is named as a file', 0o040755],
  ])('%s', (_what, mode) => expectRejected(/symbolic link, a device/, [file('key.pem', { mode })]));

  test.each([
    ['..', '../key.pem', /"\.\."/],
    ['.. further in', 'a/../../key.pem', /"\.\."/],
    ['an absolute path', '/etc/key.pem', /absolute/],
    ['a drive letter', 'C:key.pem', /absolute/],
    ['a backslash', '..\\key.pem', /backslash/],
    ['NUL', 'key.pem\0.txt', /NUL/],
    ['a line end', 'key\n.pem', /control character/],
    ['an empty folder name', 'a//key.pem', /empty folder name/],
    ['no name', '', /no name/],
    ['a very long name', 'a'.repeat(256), /very long/],
  ])('a name with %s', (_what, name, found) => expectRejected(found, [file(name)]));

  test.each([
    ['the same name twice', 'key.pem', 'key.pem'],
    ['names that differ in case', 'key.pem', 'KEY.pem'],
    ['names that differ in Unicode form', 'cl\u00e9.pem', 'cle\u0301.pem'],
    ['full-width letters', 'key.pem', '\uff4bey.pem'],
    ['a folder and a file', 'key', 'key/'],
  ])('%s', (_what, one, other) =>
    expectRejected(/there twice/, [
      file(one),
      file(other, other.endsWith('/') ? { content: Buffer.alloc(0), stored: true, mode: 0o040755 } : {}),
    ]),
  );

  test.each([
    ['encrypted', 0x0001],
    ['strongly encrypted', 0x0041],
    ['with a masked header', 0x2000],
  ])('an entry that is %s', (_what, flags) => expectRejected(/encrypted/, [file('key.pem', { both: { flags } })]));

  test('a packing method that no certificate needs', () =>
    expectRejected(/rare way/, [file('key.pem', { both: { method: 12 } })]));

  test.each([
    ['prepended data', { prefix: Buffer.from('MZ') }, /before or between/],
    ['data before the directory', { gap: Buffer.from('hidden') }, /before or between/],
    ['trailing data', { suffix: Buffer.from('\n') }, /does not end with its directory/],
    ['a comment', { comment: Buffer.from('PK') }, /does not end with its directory/],
    ['data before the end record', { beforeEnd: Buffer.from('x') }, /before or between/],
    ['a count that is too small', { count: 0 }, /empty/],
    ['a count that is too large', { count: 2 }, /directory is broken/],
    ['a zip64 count', { count: 0xffff }, /zip64/],
  ])('%s', (_what, archive, found) => expectRejected(found, [file('key.pem')], archive));

  test('a zip64 end record that would move the directory elsewhere', () => {
    const beforeEnd = Buffer.alloc(20);
    beforeEnd.writeUInt32LE(0x07064b50);
    return expectRejected(/zip64/, [file('key.pem')], { beforeEnd });
  });

  test('a zip64 field that would say other sizes', () => {
    const extra = Buffer.alloc(20);
    extra.writeUInt16LE(0x0001, 0);
    extra.writeUInt16LE(16, 2);
    return expectRejected(/zip64/, [file('key.pem', { central: { extra } })]);
  });

  test('a second name in an extra field', () => {
    const extra = Buffer.from([0x75, 0x70, 1, 0, 1]);
    return expectRejected(/two names/, [file('key.pem', { central: { extra } })]);
  });

  test.each([
    ['name', { name: Buffer.from('kez.pem') }],
    ['flags', { flags: 0x0800 }],
    ['method', { method: 0 }],
    ['checksum', { crc32: 1 }],
    ['size', { size: 1 }],
    ['packed size', { compressedSize: 1 }],
  ])('a local header with another %s than the directory', (_what, local) =>
    expectRejected(/contradict each other/, [file('key.pem', { local })]),
  );

  test('a descriptor that contradicts the directory', () => {
    const zip = forgeZip([file('key.pem', { streamed: 'with signature' })]);
    const at = zip.indexOf(Buffer.from([0x50, 0x4b, 0x07, 0x08]));
    zip.writeUInt8(zip.readUInt8(at + 12) ^ 1, at + 12);
    return refusalOf('archive_rejected', readZip(zip));
  });

  test('two directory entries over one local header', async () => {
    const entry = file('a.pem', { stored: true });
    const twice = forgeZip([entry, { ...entry, central: { offset: 0 } }]);
    await expectRejected(/contradict|overlap/, [entry, file('b.pem', { central: { offset: 0 } })]);
    await refusalOf('archive_rejected', readZip(twice));
  });

  test('overlapping entries: one lies within the other', async () => {
    const inner = forgeZip([file('in.pem', { stored: true })]).subarray(0, 30 + 6 + content.length);
    const outer: ForgedEntry = { name: 'out', content: inner, stored: true };
    const zip = forgeZip([outer, file('in.pem', { stored: true, central: { offset: 33 } })]);
    const { message } = await refusalOf('archive_rejected', readZip(zip));
    expect(message).toMatch(/overlap/);
  });

  test('an entry that is longer than the file', () =>
    expectRejected(/longer than the file/, [
      file('key.pem', { stored: true, both: { compressedSize: 5000, size: 5000 } }),
    ]));

  test.each([
    ['declared smaller than it is', { size: 5 }],
    ['declared empty', { size: 0 }],
    ['declared larger than it is', { size: 200 }],
    ['declared larger, with the checksum of the zeros that would fill it', padded],
    ['of another checksum', { crc32: 1 }],
  ])('an entry %s', (_what, both) =>
    expectRejected(/size and checksum that are announced/, [file('key.pem', { both })]),
  );

  test('octets hidden behind the packed data', () =>
    expectRejected(/size and checksum/, [
      file('key.pem', { packed: Buffer.concat([deflateRawSync(content), Buffer.from('hidden')]) }),
    ]));

  test('packed data that is none', () =>
    expectRejected(/does not unpack/, [file('key.pem', { packed: Buffer.from([0xff, 0xff, 0xff, 0xff]) })]));

  test('a bomb with the ratio of one, and one that lies about it', async () => {
    const zeros = Buffer.alloc(200 * 1024);
    await expectRejected(/100 times/, [file('zeros', { content: zeros })]);
    await expectRejected(/announced/, [file('zeros', { content: zeros, both: { size: 1000 } })]);
  });

  test('an entry, a total and a number of entries beyond the caps', async () => {
    const noise = (size: number) => Buffer.from(Array.from({ length: size }, (_, i) => (i * i * 31 + (i >> 3)) & 0xff));
    await expectRejected(/more than 262144/, [file('big', { content: noise(256 * 1024 + 1), stored: true })]);
    const five = Array.from({ length: 5 }, (_, i) => file(`${i}`, { content: noise(250 * 1024), stored: true }));
    await expectRejected(/more than 1048576/, five);
    await expectRejected(
      /more than 64 entries/,
      Array.from({ length: 65 }, (_, i) => file(`${i}`)),
    );
  });

  test('a zip within the zip', () =>
    expectRejected(/zip within the zip/, [file('inner.zip', { content: forgeZip([file('a')]) })]));

  test('an empty archive, a cut one and nothing at all', async () => {
    await expectRejected(/empty/, []);
    await refusalOf('archive_rejected', readZip(forgeZip([file('a')]).subarray(0, -1)));
    await refusalOf('archive_rejected', readZip(Buffer.alloc(0)));
  });
});

describe('whatever comes in', () => {
  const zip = forgeZip([file('a.pem'), file('b.pem', { stored: true }), file('c.pem', { streamed: 'with signature' })]);

  test('any octets are read or refused, nothing else', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), async (octets) => {
        await readZip(Buffer.from(octets)).catch(refusedOnly);
      }),
      { numRuns: 500 },
    );
  });

  test('a changed octet gives the same content, or a refusal', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(zip.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
        const changed = Buffer.from(zip);
        changed.writeUInt8(changed.readUInt8(at) ^ flip, at);
        const files = await readZip(changed).catch(refusedOnly);
        for (const { bytes } of files ?? []) expect(bytes.equals(content)).toBe(true);
      }),
      { numRuns: 1500 },
    );
  });
});

function refusedOnly(error: unknown): null {
  return orRefused((): null => {
    throw error;
  });
}
