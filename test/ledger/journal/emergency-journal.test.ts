import { chmod, open, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { EmergencyJournal } from '../../../src/ledger/journal/emergency-journal.ts';
import { SLOT_BYTES } from '../../../src/ledger/journal/slot.ts';
import { hold } from '../../conformance/ledger-rows.ts';
import { freshPlace } from '../sqlite/place.ts';

let place: Awaited<ReturnType<typeof freshPlace>>;
let path: string;

beforeEach(async () => {
  place = await freshPlace();
  path = join(place.folder, 'emergency.journal');
});
afterEach(() => place.remove());

const unavailable = { code: 'journal_unavailable' };

test('is made whole, of zeros, for its owner alone', async () => {
  const journal = await EmergencyJournal.open(path, { slots: 8 });
  const stats = await stat(path);
  expect(stats.size).toBe(8 * SLOT_BYTES);
  expect(stats.mode & 0o777).toBe(0o600);
  expect((await readFile(path)).every((octet) => octet === 0)).toBe(true);
  expect(await journal.records()).toEqual([]);
  await journal.close();
});

test('gives back what was appended, in order, after it was opened again', async () => {
  const journal = await EmergencyJournal.open(path, { slots: 8 });
  const rows = ['h1', 'h2', 'h3'].map((id) => ({ ...hold(id) }));
  await Promise.all(rows.map((row) => journal.append(row)));
  await journal.close();
  const again = await EmergencyJournal.open(path, { slots: 8 });
  expect(await again.records()).toEqual(rows);
  expect(await again.torn()).toEqual([]);
  expect(again.free).toBe(5);
  await again.append({ ...hold('h4') });
  expect((await again.records()).map(({ id }) => id)).toEqual(['h1', 'h2', 'h3', 'h4']);
  expect((await stat(path)).size).toBe(8 * SLOT_BYTES);
  await again.close();
});

test('says that it is full, and takes records again when it was cleared', async () => {
  const journal = await EmergencyJournal.open(path, { slots: 2 });
  await journal.append({ id: 1 });
  await journal.append({ id: 2 });
  await expect(journal.append({ id: 3 })).rejects.toMatchObject({
    ...unavailable,
    message: expect.stringContaining('all of its 2 slots are taken'),
  });
  await journal.clear();
  expect(await journal.records()).toEqual([]);
  await journal.append({ id: 4 });
  await journal.close();
  const again = await EmergencyJournal.open(path, { slots: 2 });
  expect(await again.records()).toEqual([{ id: 4 }]);
  await again.close();
});

test('every flipped bit and every cut of a record makes it torn, and the others stay', async () => {
  const journal = await EmergencyJournal.open(path, { slots: 3 });
  for (const id of [1, 2, 3]) await journal.append({ id });
  await journal.close();
  const whole = await readFile(path);
  const used = 4 + 4 + 32 + '{"id":2}'.length;
  for (let bit = 0; bit < used * 8; bit += 1) {
    const octets = Buffer.from(whole);
    octets[SLOT_BYTES + (bit >> 3)]! ^= 1 << (bit & 7);
    await assertSecondTorn(octets);
  }
  for (let kept = 1; kept < used; kept += 1) {
    await assertSecondTorn(Buffer.from(whole).fill(0, SLOT_BYTES + kept, 2 * SLOT_BYTES));
  }
  // A disk may take the sectors of a block in any order: the beginning may be what never came.
  for (let lost = 1; lost < used; lost += 1) {
    await assertSecondTorn(Buffer.from(whole).fill(0, SLOT_BYTES, SLOT_BYTES + lost));
  }
});

async function assertSecondTorn(octets: Buffer): Promise<void> {
  await writeFile(path, octets);
  const journal = await EmergencyJournal.open(path, { slots: 3 });
  expect(await journal.records()).toEqual([{ id: 1 }, { id: 3 }]);
  expect(await journal.torn()).toEqual([1]);
  expect(journal.free).toBe(0);
  await journal.close();
}

test('refuses a record that does not fit, and goes on', async () => {
  const journal = await EmergencyJournal.open(path);
  await expect(journal.append({ reason: 'x'.repeat(SLOT_BYTES) })).rejects.toMatchObject({ code: 'invalid_input' });
  await journal.append({ reason: 'x'.repeat(3000) });
  expect(journal.free).toBe(127);
  await journal.close();
});

test('refuses a file that others can use, or of another size', async () => {
  await (await EmergencyJournal.open(path)).close();
  await expect(EmergencyJournal.open(path, { slots: 64 })).rejects.toMatchObject(unavailable);
  await chmod(path, 0o644);
  await expect(EmergencyJournal.open(path)).rejects.toMatchObject(unavailable);
  await expect(EmergencyJournal.open(join(place.folder, 'no', 'journal'))).rejects.toMatchObject(unavailable);
});

test('takes nothing after it was closed', async () => {
  const journal = await EmergencyJournal.open(path);
  await journal.close();
  await expect(journal.append({ id: 1 })).rejects.toMatchObject(unavailable);
});

test('a crash while it is made leaves none, and the next start makes it', async () => {
  const half = await open(`${path}.new`, 'w');
  await half.write(Buffer.alloc(100));
  await half.close();
  const journal = await EmergencyJournal.open(path, { slots: 2 });
  await journal.append({ id: 1 });
  await journal.close();
});

test('a folder that there is not is told as that, not as a disk that fails', async () => {
  const missing = join(place.folder, 'elsewhere', 'emergency.journal');
  await expect(EmergencyJournal.open(missing)).rejects.toMatchObject({
    ...unavailable,
    message: expect.stringContaining(`there is no folder ${join(place.folder, 'elsewhere')}`),
    fix: expect.stringContaining('mkdir -m 700'),
  });
});
