import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeBase64url } from '../../src/core/encoding/base64url.ts';
import { SecretBytes } from '../../src/core/secret-bytes.ts';
import { AnswerOpener, type AnswerSealer } from '../../src/sealed/answer.ts';
import type { AnswerBinding } from '../../src/sealed/envelope.ts';
import { AnswerSealers, type SealersOptions } from '../../src/sealed/sealers.ts';

const BINDING: AnswerBinding = {
  lease: 'lease_0199f0c1e2d37a3b8c4d5e6f70819293',
  credential: 'lean/sandbox',
  version: 3,
  spki: 'ab'.repeat(32),
  expiresAt: '2026-11-23T10:15:00.000Z',
};

class Hands {
  wall = 1_790_000_000_000;
  machine = 0;
  now = (): number => this.wall;
  monotonic = (): number => this.machine;
  pass(ms: number): void {
    this.wall += ms;
    this.machine += ms;
  }
}

function setUp(options: Partial<SealersOptions> = {}) {
  const clock = new Hands();
  return { clock, sealers: new AnswerSealers({ clock, ...options }) };
}

function keyOf(opener: AnswerOpener): Buffer {
  return decodeBase64url(opener.publicKey, 32)!;
}

function seal(sealer: AnswerSealer, value = 'key') {
  return sealer.seal(BINDING, [{ name: 'key', octets: SecretBytes.copyOf(Buffer.from(value)) }]);
}

describe('the sealers of a server', () => {
  it('seal the answers to one client process in one context, which it opens in any order', () => {
    const { sealers } = setUp();
    const opener = AnswerOpener.generate();
    const answers = ['a', 'b', 'c'].map((value) => seal(sealers.to(keyOf(opener), 'service:payments'), value));
    expect(new Set(answers.map(({ enc }) => enc)).size).toBe(1);
    expect(answers.map(({ seq }) => seq)).toEqual([0, 1, 2]);
    for (const at of [2, 0, 1]) {
      expect(opener.open(answers[at]!, BINDING).get('key')?.bytes.toString()).toBe('abc'[at]);
    }
  });

  it('never use a number twice, whatever fails, goes or comes in between', () => {
    const clients = Array.from({ length: 4 }, () => keyOf(AnswerOpener.generate()));
    const action = fc.oneof(
      fc.record({ act: fc.constant('ask' as const), client: fc.nat(3), principal: fc.constantFrom('a', 'b') }),
      fc.record({ act: fc.constantFrom('seal' as const, 'failing' as const), which: fc.nat(40) }),
      fc.record({ act: fc.constant('pass' as const), ms: fc.constantFrom(1, 400, 1_000) }),
      fc.record({ act: fc.constant('step' as const), ms: fc.constantFrom(-5_000, 900, 5_000) }),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
        const { clock, sealers } = setUp({ maxContexts: 3, maxUses: 5, maxAgeMs: 1_000 });
        const held: AnswerSealer[] = [];
        const used = new Set<string>();
        for (const each of actions) {
          if (each.act === 'ask') held.push(sealers.to(clients[each.client]!, each.principal));
          if (each.act === 'pass') clock.pass(each.ms);
          if (each.act === 'step') clock.wall += each.ms;
          if (each.act === 'failing') failing(held[each.which % held.length]);
          if (each.act !== 'seal' || held.length === 0) continue;
          const { enc, seq } = seal(held[each.which % held.length]!);
          expect(used).not.toContain(`${enc} ${seq}`);
          used.add(`${enc} ${seq}`);
          expect(sealers.size).toBeLessThanOrEqual(3);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('give two principals that show the same key a context each', () => {
    const { sealers } = setUp();
    const key = keyOf(AnswerOpener.generate());
    expect(sealers.to(key, 'service:a')).not.toBe(sealers.to(key, 'service:b'));
  });

  it('begin anew after so many answers and after so long', () => {
    const { clock, sealers } = setUp({ maxUses: 3, maxAgeMs: 1_000 });
    const key = keyOf(AnswerOpener.generate());
    const ask = () => sealers.to(key, 'service:payments');
    const first = ask();
    expect([ask(), ask()]).toEqual([first, first]);
    const second = ask();
    expect(second).not.toBe(first);
    clock.pass(999);
    expect(ask()).toBe(second);
    clock.pass(1);
    expect(ask()).not.toBe(second);
  });

  it('begin anew after a context failed once, and seal on for whoever holds it', () => {
    const { sealers } = setUp();
    const opener = AnswerOpener.generate();
    const first = sealers.to(keyOf(opener), 'service:payments');
    failing(first);
    const second = sealers.to(keyOf(opener), 'service:payments');
    expect(second).not.toBe(first);
    for (const sealer of [first, second]) expect(opener.open(seal(sealer), BINDING).size).toBe(1);
  });

  it('begin anew, all of them, when a clock stepped: the machine may run from a copy of its memory', () => {
    const { clock, sealers } = setUp();
    const keys = [keyOf(AnswerOpener.generate()), keyOf(AnswerOpener.generate())];
    const before = keys.map((key) => sealers.to(key, 'service:payments'));
    clock.wall += 900;
    expect(keys.map((key) => sealers.to(key, 'service:payments'))).toEqual(before);
    clock.wall += 5_000;
    for (const [at, key] of keys.entries()) expect(sealers.to(key, 'service:payments')).not.toBe(before[at]);
  });

  it('keep so many contexts, and let go of the one used longest ago', () => {
    const { sealers } = setUp({ maxContexts: 2 });
    const keys = [1, 2, 3].map(() => keyOf(AnswerOpener.generate()));
    const [one, two] = keys.map((key) => sealers.to(key, 'service:payments'));
    expect(sealers.size).toBe(2);
    expect(sealers.to(keys[1]!, 'service:payments')).toBe(two);
    expect(sealers.to(keys[0]!, 'service:payments')).not.toBe(one);
  });

  it('refuse a key that nothing can be sealed to, and keep nothing of it', () => {
    const { sealers } = setUp();
    expect(() => sealers.to(Buffer.alloc(32), 'service:payments')).toThrow(
      expect.objectContaining({ code: 'invalid_input' }),
    );
    expect(sealers.size).toBe(0);
  });
});

/** The binding of this one has no canonical form, which shows only where the context is used. */
function failing(sealer: AnswerSealer | undefined): void {
  const octets = SecretBytes.copyOf(Buffer.from('key'));
  const broken = { ...BINDING, lease: '\ud800' };
  if (sealer !== undefined) expect(() => sealer.seal(broken, [{ name: 'key', octets }])).toThrow();
}
