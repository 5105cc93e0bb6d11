import { expect, test } from 'vitest';
import { checkRuntime } from '../../../src/cli/doctor/runtime.ts';

const GOOD = { node: '24.22.3', secureHeap: 65_536, coreLimit: '0' };

test.each([
  ['the first Node with the fixes', GOOD, ['ok', 'ok', 'ok']],
  ['a newer major version', { ...GOOD, node: '26.0.0' }, ['ok', 'ok', 'ok']],
  ['a Node before the fixes', { ...GOOD, node: '24.21.9' }, ['attention', 'ok', 'ok']],
  ['no secure heap', { ...GOOD, secureHeap: 0 }, ['ok', 'attention', 'ok']],
  ['core dumps', { ...GOOD, coreLimit: 'unlimited' }, ['ok', 'ok', 'attention']],
  ['a system that cannot tell', { ...GOOD, coreLimit: null }, ['ok', 'ok', 'attention']],
])('%s', (_, runtime, verdicts) => {
  expect(checkRuntime(runtime).map(({ verdict }) => verdict)).toEqual(verdicts);
});
