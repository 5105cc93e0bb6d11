import fc from 'fast-check';
import type { Setting, Trouble, World } from './world.ts';

/** What may happen to a rotation. Whatever is not legal just then is refused, and nothing has happened. */
export type Command =
  | { readonly do: 'start' | 'tick' | 'import' | 'attach good' | 'attach bad' | 'work' | 'restart' }
  | { readonly do: 'abort' | 'roll back' | 'retry' | 'resume' }
  | { readonly do: 'compromise'; readonly which: 'old' | 'new' }
  | { readonly do: 'freeze' | 'thaw' | 'promote by hand' }
  | { readonly do: 'waive'; readonly what: 'canary' | 'drain' | 'proof' }
  | { readonly do: 'crash'; readonly after: number }
  | { readonly do: 'forward'; readonly seconds: number }
  | { readonly do: 'lease'; readonly seconds: number }
  | { readonly do: 'report'; readonly failures: number }
  | { readonly do: 'partner'; readonly mood: 'accepts' | 'refuses' | 'times-out'; readonly deaf: boolean }
  | { readonly do: 'issuer'; readonly trouble: Trouble };

const plain = fc.record({ do: fc.constantFrom('import', 'attach good', 'attach bad', 'restart') } as const);
const often = fc.record({ do: fc.constantFrom('start', 'tick', 'work') } as const);
const orders = fc.record({ do: fc.constantFrom('abort', 'roll back', 'retry', 'resume') } as const);

export const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 12, arbitrary: often },
  { weight: 4, arbitrary: plain },
  { weight: 9, arbitrary: orders },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('waive'), what: fc.constantFrom('canary', 'drain', 'proof') } as const),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('compromise'), which: fc.constantFrom('old', 'new') } as const),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('freeze', 'thaw', 'promote by hand') } as const) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('crash'), after: fc.nat({ max: 12 }) } as const) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('forward'),
      seconds: fc.constantFrom(1, 5, 31, 151, 400, 3_600, 90_000),
    } as const),
  },
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constant('lease'), seconds: fc.constantFrom(1, 60, 900) } as const),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('report'), failures: fc.constantFrom(0, 1, 9) } as const),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('partner'),
      mood: fc.constantFrom('accepts', 'accepts', 'refuses', 'times-out'),
      deaf: fc.boolean(),
    } as const),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('issuer'),
      trouble: fc.constantFrom('none', 'down', 'answer lost', 'answer late', 'refuses', 'keeps', 'gone'),
    } as const),
  },
);

export const setting: fc.Arbitrary<Setting> = fc.record({
  keyBy: fc.constantFrom('partner', 'keyturn'),
  live: fc.constantFrom(1, 2, 2),
  signer: fc.constantFrom('internal', 'manual'),
  revokes: fc.constantFrom('issuer', 'asking'),
  tested: fc.constantFrom(true, true, true, false),
  shared: fc.boolean(),
});

export async function obey(world: World, one: Command): Promise<void> {
  if (one.do === 'start') await world.start();
  if (one.do === 'tick') await world.tick();
  if (one.do === 'import') await world.import();
  if (one.do === 'attach good') await world.attach(true);
  if (one.do === 'attach bad') await world.attach(false);
  if (one.do === 'work') await world.work();
  if (one.do === 'restart') world.restart();
  if (one.do === 'abort') await world.abort();
  if (one.do === 'roll back') await world.rollBack();
  if (one.do === 'retry') await world.retry();
  if (one.do === 'resume') await world.resume();
  if (one.do === 'compromise') await world.compromise(one.which);
  if (one.do === 'freeze') await world.freezeOld();
  if (one.do === 'thaw') await world.thaw();
  if (one.do === 'promote by hand') await world.promoteAny();
  if (one.do === 'waive') await world.waive(one.what);
  if (one.do === 'crash') {
    world.crashAfter(one.after);
    await world.tick();
  }
  if (one.do === 'forward') {
    // No answer takes as long as a rotation that is given up looks for one.
    if (one.seconds > 5) await world.lateAnswers();
    world.forward(one.seconds * 1000);
  }
  if (one.do === 'lease') await world.lease(one.seconds);
  if (one.do === 'report') await world.report(one.failures);
  if (one.do === 'partner') Object.assign(world.partner, { mood: one.mood, deaf: one.deaf });
  if (one.do === 'issuer') world.trouble = one.trouble;
}
