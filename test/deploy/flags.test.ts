import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { jsonOf } from './dockerfile.ts';
import { ROOT } from './installed.ts';

const flagsIn = (words: readonly string[]) => words.filter((word) => word.startsWith('--'));

test('SECURITY.md, the container and the systemd unit name the same flags of Node', () => {
  const promised = /`((?:--[\w=-]+\s+)+--[\w=-]+)`/.exec(readFileSync(join(ROOT, 'SECURITY.md'), 'utf8'))?.[1] ?? '';
  const unit = readFileSync(join(ROOT, 'deploy/systemd/keyturn.service'), 'utf8');
  const [beforeProgram = ''] = (/^ExecStart=(.*)$/m.exec(unit)?.[1] ?? '').split('/bin/keyturn.mjs');
  const flags = flagsIn(promised.split(/\s+/));
  expect(flags).toContain('--secure-heap=65536');
  expect(flagsIn(jsonOf('ENTRYPOINT'))).toEqual(flags);
  expect(flagsIn(beforeProgram.split(' '))).toEqual(flags);
});
