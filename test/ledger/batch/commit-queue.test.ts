import { beforeEach, expect, test } from 'vitest';
import type { BatchAnswer } from '../../../src/ledger/batch/answer.ts';
import { CommitQueue } from '../../../src/ledger/batch/commit-queue.ts';
import { Health } from '../../../src/ledger/batch/health.ts';
import type { Change } from '../../../src/ledger/change.ts';
import { change } from '../../conformance/ledger-rows.ts';

let health: Health;
let queue: CommitQueue;
let sent: (readonly Change[])[];
let heads: number[];

beforeEach(() => {
  health = new Health({ fix: 'Look after the disk.', recovers: false });
  sent = [];
  heads = [];
  queue = new CommitQueue(health, {
    send: (changes) => sent.push(changes),
    stallAfterMs: 60_000,
    onHead: ({ size }) => heads.push(size),
  });
});

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

function answer(count: number, size = count): BatchAnswer {
  const outcome = { committed: true, index: 0, time: 0, receipt: null } as const;
  return { size, checkpoint: 'note', results: Array.from({ length: count }, () => ({ outcome })) };
}

test('sends what one turn of the loop brings as one batch, and what comes meanwhile as the next', async () => {
  const first = [queue.add(change('a.a')), queue.add(change('a.b'))];
  await turn();
  const second = queue.add(change('a.c'));
  await turn();
  expect(sent.map(({ length }) => length)).toEqual([2]);
  expect(queue.pending).toBe(3);
  queue.settle(answer(2));
  await Promise.all(first);
  expect(sent.map(({ length }) => length)).toEqual([2, 1]);
  queue.settle(answer(1, 3));
  await second;
  expect(heads).toEqual([2, 3]);
});

test('does not wait for the end of the turn when there is enough for a batch', async () => {
  const all = Array.from({ length: 20 }, () => queue.add(change('a.a')));
  expect(sent.map(({ length }) => length)).toEqual([8]);
  await turn();
  expect(sent.map(({ length }) => length)).toEqual([8]);
  queue.settle(answer(8));
  queue.settle(answer(12));
  await Promise.all(all);
  expect(sent.map(({ length }) => length)).toEqual([8, 12]);
});

test('sends nothing at the end of a turn in which all was sent and answered already', async () => {
  const all = Array.from({ length: 8 }, () => queue.add(change('a.a')));
  queue.settle(answer(8));
  await Promise.all(all);
  await turn();
  expect(sent.map(({ length }) => length)).toEqual([8]);
  const more = Array.from({ length: 8 }, () => queue.add(change('a.b')));
  queue.settle(answer(8));
  await Promise.all(more);
  expect(health.state).toBe('ready');
});

test('has the next batch under way before the callers of the last one go on', async () => {
  const first = queue.add(change('a.a'));
  await turn();
  const second = queue.add(change('a.b'));
  const when = first.then(() => sent.length);
  queue.settle(answer(1));
  expect(await when).toBe(2);
  queue.settle(answer(1));
  await second;
});

test('puts at most 256 changes into a batch', async () => {
  const all = Array.from({ length: 300 }, () => queue.add(change('a.a')));
  for (const count of [8, 256, 36]) queue.settle(answer(count));
  await Promise.all(all);
  expect(sent.map(({ length }) => length)).toEqual([8, 256, 36]);
});

test('says that it is busy rather than fill the memory, and stays ready', async () => {
  // The first eight are under way.
  const all = Array.from({ length: 8 + 4096 }, () => queue.add(change('a.a')));
  await expect(queue.add(change('a.b'))).rejects.toMatchObject({ code: 'ledger_unavailable', facts: { busy: true } });
  expect(health.state).toBe('ready');
  health.end('closed', '');
  expect((await Promise.allSettled(all)).every(({ status }) => status === 'rejected')).toBe(true);
});

test('an answer that comes after the end releases nothing', async () => {
  const pending = queue.add(change('a.a'));
  await turn();
  health.end('stalled', 'the disk hangs');
  queue.settle(answer(1));
  await expect(pending).rejects.toMatchObject({ code: 'ledger_unavailable', facts: { state: 'stalled' } });
  expect(heads).toEqual([]);
  await expect(queue.add(change('a.b'))).rejects.toMatchObject({ code: 'ledger_unavailable' });
});

test('an answer to another batch ends the ledger, and nobody gets what belongs to somebody else', async () => {
  const pending = [queue.add(change('a.a')), queue.add(change('a.b'))];
  await turn();
  queue.settle(answer(1));
  for (const each of pending) await expect(each).rejects.toMatchObject({ code: 'ledger_unavailable' });
  expect(health.state).toBe('failed');
  expect(queue.pending).toBe(0);
});

test('a batch that could not be handed over ends the ledger at once, and only what was answered is released', async () => {
  let breaks = false;
  const handing = new CommitQueue(health, {
    send: (changes) => {
      if (breaks) throw new Error('DataCloneError');
      sent.push(changes);
    },
    stallAfterMs: 60_000,
    onHead: ({ size }) => heads.push(size),
  });
  const first = handing.add(change('a.a'));
  await turn();
  const second = handing.add(change('a.b'));
  breaks = true;
  handing.settle(answer(1));
  expect(await first).toMatchObject({ committed: true });
  await expect(second).rejects.toMatchObject({ code: 'ledger_unavailable', facts: { state: 'failed' } });
  expect(handing.pending).toBe(0);
  expect(heads).toEqual([1]);
});

test('whoever makes enough for a batch that could not be handed over fares as all the others do', async () => {
  const handing = new CommitQueue(health, {
    send: () => {
      throw new Error('DataCloneError');
    },
    stallAfterMs: 60_000,
    onHead: () => undefined,
  });
  const all = await Promise.allSettled(Array.from({ length: 8 }, () => handing.add(change('a.a'))));
  for (const each of all) expect(each).toMatchObject({ reason: { code: 'ledger_unavailable' } });
  expect(health.state).toBe('failed');
});

test('all who wait have their answer whatever becomes of those who hear of the head', async () => {
  const deaf = new CommitQueue(health, {
    send: (changes) => sent.push(changes),
    stallAfterMs: 60_000,
    onHead: () => {
      throw new Error('no');
    },
  });
  const waiting = deaf.add(change('a.a'));
  await turn();
  expect(() => deaf.settle(answer(1))).toThrow('no');
  expect(await waiting).toMatchObject({ committed: true });
});

test('is idle when all is answered, the batch that went before its callers were told included', async () => {
  const first = queue.add(change('a.a'));
  await turn();
  const second = queue.add(change('a.b'));
  queue.refuse();
  let idle = false;
  const waiting = queue.idle().then(() => {
    idle = true;
  });
  queue.settle(answer(1));
  await first;
  await turn();
  expect(idle).toBe(false);
  await expect(queue.add(change('a.c'))).rejects.toMatchObject({ facts: { state: 'closed' } });
  queue.settle(answer(1));
  await waiting;
  await second;
});
