import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Keyturn } from '../keyturn.ts';

let keyturn: Keyturn;

beforeAll(async () => {
  keyturn = await Keyturn.at();
  expect(await keyturn.run(['init', '--admin', 'alice', '--port', '0'])).toMatchObject({ code: 0 });
  keyturn.guard(await readFile(join(keyturn.home, 'master', 'master.key')));
});

afterAll(() => keyturn[Symbol.asyncDispose]());

test('a stopped store is verified, locked with a new key file, and opens with that alone', async () => {
  const before = await keyturn.json<{ generation: number }>(['store', 'verify']);
  expect(before).toMatchObject({ records: 2, lockedWith: 'key', matchesLedger: true });

  const refusal = await keyturn.refusal(['store', 'rotate-master-key']);
  expect(refusal).toMatchObject({ exit: 2, code: 'invalid_input' });

  const rotated = await keyturn.run(['store', 'rotate-master-key', '--new-key-file', 'second.key']);
  expect(rotated).toMatchObject({ code: 0, out: expect.stringContaining('the old one opens it no more') });
  expect(await readFile(join(keyturn.home, 'keyturn.yaml'), 'utf8')).toContain(keyturn.path('second.key'));
  const after = await keyturn.json<{ generation: number }>(['store', 'verify']);
  expect(after).toMatchObject({ generation: before.generation + 1, matchesLedger: true });
});

test('a changed octet in the store is told, with what to do', async () => {
  const path = join(keyturn.home, 'keys', 'keys.ktn');
  const octets = await readFile(path);
  octets[octets.length - 20]! ^= 1;
  await keyturn.write('home/keys/keys.ktn', octets);
  expect(await keyturn.refusal(['store', 'verify'])).toMatchObject({ exit: 1, code: 'keystore_corrupt' });
});
