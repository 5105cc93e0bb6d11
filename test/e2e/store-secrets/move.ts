import type { Reply } from '../instance.ts';
import { BAD, type Cast, untilWell } from './cast.ts';

const COMPANION = '/v1/credentials/lean%2Fproduction/companions/lean-app-token';
const RECORDS = ['versions/lean/production/1', 'companions/lean/production/lean-app-token/1'];

/** A key and an app token go to the store elsewhere and back, and fail to in every way before. Gives the codes. */
export async function moveWrongly(cast: Cast): Promise<Set<unknown>> {
  const { tap, planted, partner, remote } = cast;
  const { keyPem, certificatePem } = await partner.portal.generate();
  planted.key('moved key', keyPem);
  const pem = Buffer.from(keyPem + certificatePem + partner.chainPem);
  await expectOk(tap.import('lean/production', { 'all.pem': pem }, { environment: 'production' }));
  const headers = { 'content-type': 'application/octet-stream' };
  await expectOk(tap.call('PUT', COMPANION, { raw: Buffer.from(planted.appToken), headers }));
  const codes = new Set<unknown>();
  for (const [from, to] of [
    ['file', remote.kind],
    [remote.kind, 'file'],
  ] as const) {
    for (const mood of BAD) {
      await remote.set(mood);
      // A store that refuses changes alone is read as ever.
      const works = mood === 'echoing changes' && to === 'file';
      for (const record of RECORDS) if (!works) codes.add((await move(cast, { from, to, record })).body['code']);
      await untilWell(cast);
    }
    if (to !== 'file') await remote.set('lost after a change');
    for (const record of RECORDS) await move(cast, { from, to, record });
    await untilWell(cast);
    for (const record of RECORDS) await move(cast, { from, to, record });
    await destroyWrongly(cast, from);
  }
  return codes;
}

/** Old copies, too, while the store does not let go of them. */
async function destroyWrongly(cast: Cast, from: string): Promise<void> {
  const { tap, remote } = cast;
  const { body } = await expectOk(tap.call('GET', `/v1/copies?store=${from}`));
  const left = (body['items'] as { id: string }[]).map(({ id }) => id);
  if (left.length === 0) throw new Error(`Nothing has moved from ${from}.`);
  for (const mood of BAD) {
    await remote.set(mood);
    const works = mood === 'echoing changes' && from === 'file';
    for (const id of left) if (!works) await tap.call('DELETE', `/v1/copies/${id}`);
    await untilWell(cast);
  }
  for (const id of left) await tap.call('DELETE', `/v1/copies/${id}`);
}

function move({ tap }: Cast, { from, ...json }: { from: string; to: string; record: string }): Promise<Reply> {
  return tap.call('POST', `/v1/stores/${from}/moves`, { json });
}

async function expectOk(call: Promise<Reply>): Promise<Reply> {
  const reply = await call;
  if (reply.status >= 300) throw new Error(`The story does not hold: ${reply.status} ${reply.text}`);
  return reply;
}
