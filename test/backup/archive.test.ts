import { hash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { readArchive, writeArchive } from '../../src/backup/archive.ts';
import { type Manifest, manifestText } from '../../src/backup/manifest.ts';
import { newSigner, ORIGIN } from '../audit/log.ts';
import { fixedOctets, piecesOf, whole } from './octets.ts';

const signer = newSigner();
const CONTENT = {
  config: Buffer.from('listen: {}\n'),
  ledger: fixedOctets(200_000),
  'access/bindings.yaml': Buffer.alloc(0),
};

function manifest(change: object = {}): Manifest {
  const files = Object.entries(CONTENT).map(([name, octets]) => ({
    name,
    size: octets.length,
    sha256: hash('sha256', octets, 'hex'),
  }));
  const log = { generation: 1, size: 3, checkpoint: 'note' };
  const stores = [{ store: 'file', kind: 'file', generation: 4 } as const];
  return {
    backup: 'backup_1',
    takenAt: '2026-11-25T10:00:00.000Z',
    by: 'person:bob',
    origin: ORIGIN,
    log,
    stores,
    files,
    ...change,
  };
}

function archive(of: Manifest, contents: Buffer = Buffer.concat(Object.values(CONTENT))): Promise<Buffer> {
  return whole(writeArchive(signer.signText(manifestText(of)), piecesOf(contents)));
}

async function read(plaintext: Buffer) {
  const files = new Map<string, Buffer>();
  const unpacked = await readArchive(piecesOf(plaintext, 4_099), async ({ name }, octets) => {
    files.set(name, await whole(octets));
  });
  return { ...unpacked, files };
}

test('what was put in comes out, under a manifest that the log’s key signed', async () => {
  const { note, manifest: read_, files } = await read(await archive(manifest()));
  expect(read_).toEqual(manifest());
  expect(Object.fromEntries(files)).toEqual(CONTENT);
  expect(note.startsWith(`keyturn-backup/1\n${ORIGIN}\n{`)).toBe(true);
});

describe('an archive is refused', () => {
  const good = Object.entries(CONTENT).map(([name, octets]) => ({
    name,
    size: octets.length,
    sha256: hash('sha256', octets, 'hex'),
  }));
  const [config, ledger] = good as [(typeof good)[0], (typeof good)[0]];

  test.each([
    ['a size too large', [config, { ...ledger, size: ledger.size + 1 }]],
    ['a size too small', [config, { ...ledger, size: ledger.size - 1 }]],
    ['a hostile size', [config, { ...ledger, size: Number.MAX_SAFE_INTEGER }]],
    ['a size that is none', [config, { ...ledger, size: -1 }]],
    ['another digest', [{ ...config, sha256: '0'.repeat(64) }, ledger]],
    ['a file twice', [config, config]],
    ['a path upwards', [{ ...config, name: 'access/../../etc/passwd' }, ledger]],
    ['an absolute path', [{ ...config, name: '/etc/passwd' }, ledger]],
    ['a hidden file', [{ ...config, name: 'access/.hidden' }, ledger]],
    ['an unknown place', [{ ...config, name: 'master/master.key' }, ledger]],
  ])('whose manifest has %s', async (_, files) => {
    await expect(archive(manifest({ files })).then(read)).rejects.toMatchObject({ code: 'backup_invalid' });
  });

  test('that is cut anywhere, or goes on after its end', async () => {
    const whole_ = await archive(manifest());
    for (const end of [0, 3, 4, 100, whole_.length - CONTENT.ledger.length, whole_.length - 1]) {
      await expect(read(whole_.subarray(0, end)), String(end)).rejects.toMatchObject({ code: 'backup_invalid' });
    }
    await expect(read(Buffer.concat([whole_, Buffer.alloc(1)]))).rejects.toMatchObject({ code: 'backup_invalid' });
  });

  test.each([0, 1, 131_073, 0xffff_ffff])('whose manifest says it has %d octets', async (length) => {
    const octets = await archive(manifest());
    octets.writeUInt32BE(length);
    await expect(read(octets)).rejects.toMatchObject({ code: 'backup_invalid' });
  });

  test.each([
    '',
    'x\n\ny',
    'keyturn-backup/1\no\n[]\n\nx',
    'keyturn-backup/1\no\n{}\n\nx',
    'keyturn-backup/2\no\n{}\n\nx',
  ])('whose manifest is %j', async (note) => {
    const octets = await whole(writeArchive(note, piecesOf(Buffer.alloc(0))));
    await expect(read(octets)).rejects.toMatchObject({ code: 'backup_invalid' });
  });
});
