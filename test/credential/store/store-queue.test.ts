import { expect, test } from 'vitest';
import { credentialPlace, StoreQueue, storePlace } from '../../../src/credential/store/store-queue.ts';

const [A, B, LEAN] = [storePlace('a'), storePlace('b'), credentialPlace('lean/sandbox')];

/** An effect that lasts until it is told to end, and what it noted. */
function effects(queue: StoreQueue) {
  const seen: string[] = [];
  const start = (name: string, places: Parameters<StoreQueue['run']>[0]) => {
    const gate = Promise.withResolvers<void>();
    const done = queue.run(places, async () => {
      seen.push(`${name} begins`);
      await gate.promise;
      seen.push(`${name} ends`);
    });
    return { end: gate.resolve, fail: () => gate.reject(new Error(name)), done };
  };
  return { seen, start };
}

/** Long enough for every promise that can settle to have settled. */
const settled = () => new Promise(setImmediate);

test('effects with no place in common go on side by side', async () => {
  const { seen, start } = effects(new StoreQueue());
  const [one, two] = [start('one', [A]), start('two', [B, LEAN])];
  await settled();
  expect(seen).toEqual(['one begins', 'two begins']);
  one.end();
  two.end();
  await Promise.all([one.done, two.done]);
});

test('one place in common is enough to wait, and the first one’s failure lets the next one in', async () => {
  const { seen, start } = effects(new StoreQueue());
  const one = start('one', [A, LEAN]);
  const two = start('two', [B, LEAN]);
  const three = start('three', [B]);
  await settled();
  expect(seen).toEqual(['one begins']);
  one.fail();
  await expect(one.done).rejects.toThrow('one');
  await settled();
  expect(seen).toEqual(['one begins', 'two begins']);
  two.end();
  three.end();
  await Promise.all([two.done, three.done]);
  expect(seen).toEqual(['one begins', 'two begins', 'two ends', 'three begins', 'three ends']);
});

test('effects that take the same places in another order do not wait for each other', async () => {
  const { seen, start } = effects(new StoreQueue());
  const [one, two] = [start('one', [A, B]), start('two', [B, A])];
  one.end();
  two.end();
  await Promise.all([one.done, two.done]);
  expect(seen).toEqual(['one begins', 'one ends', 'two begins', 'two ends']);
});
