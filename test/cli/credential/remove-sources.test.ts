import { existsSync } from 'node:fs';
import { link, mkdir, readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { removeSources } from '../../../src/cli/commands/credential/remove-sources.ts';
import { Keyturn } from '../keyturn.ts';

test('a source is overwritten before it goes, and what cannot be removed is told', async () => {
  await using keyturn = await Keyturn.at();
  const path = await keyturn.write('cert.zip', 'octets of a key');
  await link(path, keyturn.path('another-name'));
  await mkdir(keyturn.path('folder'));
  expect(await removeSources([path, keyturn.path('folder'), keyturn.path('absent')])).toEqual([
    { path, removed: true },
    { path: keyturn.path('folder'), removed: false },
    { path: keyturn.path('absent'), removed: false },
  ]);
  expect(existsSync(path)).toBe(false);
  expect(await readFile(keyturn.path('another-name'))).toEqual(Buffer.alloc(15));
});
