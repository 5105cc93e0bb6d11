import { once } from 'node:events';
import { request } from 'node:https';
import { expect, test } from 'vitest';
import { startScene } from '../setup.ts';

test('failing closed at any moment of a request ends no process', async () => {
  const uncaught: unknown[] = [];
  const listen = (error: unknown): void => void uncaught.push(error);
  process.on('uncaughtExceptionMonitor', listen);
  for (let at = 0; at < 20; at += 1) {
    await using scene = await startScene();
    const agent = scene.credential.mtlsAgent();
    const calls = Array.from({ length: 8 }, async () => {
      // As many write it: once the answer has begun, nobody listens to the errors of the request.
      const [response] = await once(request(scene.partner.url, { agent }).end(), 'response');
      response.resume();
    });
    await Promise.race(calls);
    for (let turn = 0; turn < at % 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    await scene.credential.close();
    await Promise.allSettled(calls);
  }
  process.off('uncaughtExceptionMonitor', listen);
  expect(uncaught).toEqual([]);
});
