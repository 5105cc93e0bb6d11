import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { remembered } from '../../src/ledger/remembered.ts';

describe('a remembered function', () => {
  it('gives the same object for equal arguments, and what it would make anew for any', () => {
    const argument = fc.oneof(fc.string(), fc.integer(), fc.constantFrom('1', 1, '', ' ', '1:1', '#1;', '#1;1:1'));
    const make = (...args: (string | number)[]) => ({ args });
    fc.assert(
      fc.property(fc.array(fc.array(argument, { maxLength: 3 }), { maxLength: 20 }), (calls) => {
        const remembering = remembered(make, 1_000);
        for (const args of calls) {
          const result = remembering(...args);
          expect(result).toEqual(make(...args));
          expect(remembering(...args)).toBe(result);
        }
      }),
    );
  });

  it('keeps so many results and no more', () => {
    let made = 0;
    const remembering = remembered((value: number) => ({ value, count: ++made }), 2);
    for (const value of [1, 2, 1, 2]) remembering(value);
    expect(made).toBe(2);
    for (const value of [3, 3, 1]) remembering(value);
    expect(made).toBe(4);
  });

  it('gives what nobody can change, since others hold it too', () => {
    const remembering = remembered((id: string) => ({ rule: 'r', some: { id, state: { in: ['a', 'b'] } } }));
    const result = remembering('x');
    for (const change of [
      () => Object.assign(result, { rule: 'other' }),
      () => Object.assign(result.some, { id: 'y' }),
      () => result.some.state.in.push('c'),
    ]) {
      expect(change).toThrow(TypeError);
    }
    expect(remembering('x')).toEqual({ rule: 'r', some: { id: 'x', state: { in: ['a', 'b'] } } });
  });
});
