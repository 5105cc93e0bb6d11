import { once } from 'node:events';
import { request } from 'node:https';
import { runInNewContext } from 'node:vm';
import * as undici from 'undici';
import { expect, test } from 'vitest';
import { KeyturnError, keyturnErrorIn } from '../../../src/client/index.ts';
import { startScene } from '../setup.ts';

/** An error of Node's as a test runner hands it to code that it has given a context of its own. */
function foreign(code: string): Error {
  const error: unknown = runInNewContext(
    `Object.assign(new Error('connect ${code}'), { code: '${code}', syscall: 'connect' })`,
  );
  expect(error).not.toBeInstanceOf(Error);
  return error as Error;
}

test('an error of another realm is explained by the agent', async () => {
  await using scene = await startScene();
  const sent = request(`${scene.partner.url}/hang`, { agent: scene.credential.mtlsAgent() }).end();
  const failed = once(sent, 'error');
  sent.destroy(foreign('ECONNREFUSED'));
  const [error] = await failed;
  expect(error).toMatchObject({ code: 'ECONNREFUSED', cause: { code: 'partner_unreachable' } });
  expect(keyturnErrorIn(error)).toMatchObject({ code: 'partner_unreachable', facts: { original: 'ECONNREFUSED' } });
});

test('and so is one that undici hands on', async () => {
  await using scene = await startScene();
  const seen = Promise.withResolvers<unknown>();
  const handler = { onRequestStart: () => {}, onResponseError: (_: unknown, error: unknown) => seen.resolve(error) };
  const body = (async function* () {
    yield 'begun';
    throw foreign('EHOSTUNREACH');
  })();
  const options = { origin: scene.partner.url, path: '/hang', method: 'POST', body } as never;
  scene.credential.dispatcher(undici).dispatch(options, handler as never);
  expect(keyturnErrorIn(await seen.promise)).toMatchObject({ code: 'partner_unreachable' });
});

test('the explanation is found below an error of another realm', () => {
  const explanation = new KeyturnError('partner_unreachable', 'down');
  const error = Object.assign(foreign('ECONNRESET'), { cause: explanation });
  expect(keyturnErrorIn(new Error('wrapped', { cause: error }))).toBe(explanation);
});
