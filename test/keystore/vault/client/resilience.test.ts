import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Circuit } from '../../../../src/keystore/circuit.ts';
import { REASONS, type Reason, vaultError } from '../../../../src/keystore/vault/client/reason.ts';
import { Resilience } from '../../../../src/keystore/vault/client/resilience.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** How often a thing that always fails so is tried. */
async function attempts(reason: Reason, repeatable: boolean, retryAfterMs?: number): Promise<number> {
  const resilience = new Resilience({ timeoutMs: 1_000, maxRetries: 2 });
  let tried = 0;
  const run = resilience.run(repeatable, () => {
    tried += 1;
    return Promise.reject(vaultError(reason, 'as planted', retryAfterMs === undefined ? {} : { retryAfterMs }));
  });
  const settled = expect(run).rejects.toMatchObject({ facts: { reason } });
  await vi.advanceTimersByTimeAsync(10_000);
  await settled;
  return tried;
}

describe('what is tried again', () => {
  it.each(Object.keys(REASONS) as Reason[])('after %s', async (reason) => {
    const { retry, certain } = REASONS[reason];
    expect(await attempts(reason, true)).toBe(retry === 'never' ? 1 : 3);
    expect(await attempts(reason, false)).toBe(retry === 'any' ? 3 : 1);
    // What may have happened is never asked twice unless asking twice is asking once.
    if (!certain) expect(retry).not.toBe('any');
  });

  it('waits as long as the server asks, and not at all when that is too long', async () => {
    expect(await attempts('throttled', true, 500)).toBe(3);
    expect(await attempts('throttled', true, 60_000)).toBe(1);
  });
});

describe('the circuit', () => {
  const failing = () => Promise.reject(vaultError('sealed', 'as planted'));

  it('opens after failures in a row, is asked again after a while, and closes when that goes well', async () => {
    const seen: Circuit[] = [];
    const options = { timeoutMs: 1_000, maxRetries: 0, breakAfter: 3, breakMs: 5_000 };
    const resilience = new Resilience({ ...options, onCircuit: (circuit) => seen.push(circuit) });
    for (let failure = 0; failure < 3; failure += 1) await expect(resilience.run(true, failing)).rejects.toThrow();
    expect(resilience.circuit).toBe('open');
    let asked = 0;
    const answering = async () => {
      asked += 1;
      return 'done';
    };
    await expect(resilience.run(true, answering)).rejects.toMatchObject({ facts: { reason: 'circuit_open' } });
    expect(asked).toBe(0);
    await vi.advanceTimersByTimeAsync(5_001);
    expect(await resilience.run(true, answering)).toBe('done');
    expect(resilience.circuit).toBe('closed');
    expect(seen).toEqual(['open', 'half-open', 'closed']);
  });

  it('stays closed for what says nothing against the server', async () => {
    const resilience = new Resilience({ timeoutMs: 1_000, maxRetries: 0, breakAfter: 2 });
    const denied = () => Promise.reject(vaultError('forbidden', 'as planted'));
    for (let denial = 0; denial < 5; denial += 1) await expect(resilience.run(true, denied)).rejects.toThrow('planted');
    expect(resilience.circuit).toBe('closed');
  });

  it('is passed by questions about health', async () => {
    const resilience = new Resilience({ timeoutMs: 1_000, maxRetries: 0, breakAfter: 1 });
    await expect(resilience.run(true, failing)).rejects.toThrow();
    expect(await resilience.once(async () => 'asked')).toBe('asked');
  });
});

it('an attempt that takes too long is told to stop', async () => {
  const resilience = new Resilience({ timeoutMs: 1_000, maxRetries: 0 });
  const run = resilience.run(
    false,
    (signal) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(vaultError('timeout', 'late')))),
  );
  const settled = expect(run).rejects.toMatchObject({ facts: { reason: 'timeout', certain: false } });
  await vi.advanceTimersByTimeAsync(1_000);
  await settled;
});
