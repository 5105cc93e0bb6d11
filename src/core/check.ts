import { KeyturnError } from './errors.ts';

/** One thing that doctor looked at. `fix` is a command or a sentence; empty when all is well. Never holds a secret. */
export interface Check {
  readonly name: string;
  readonly verdict: 'ok' | 'attention' | 'broken';
  readonly evidence: string;
  readonly fix: string;
}

export function ok(name: string, evidence: string): Check {
  return { name, verdict: 'ok', evidence, fix: '' };
}

export function attention(name: string, evidence: string, fix: string): Check {
  return { name, verdict: 'attention', evidence, fix };
}

export function broken(name: string, evidence: string, fix: string): Check {
  return { name, verdict: 'broken', evidence, fix };
}

/** Of an error that stood in the way: a KeyturnError says itself what to do. */
export function brokenBy(name: string, error: unknown): Check {
  if (!(error instanceof KeyturnError)) return broken(name, 'an unexpected fault', 'Report it.');
  return broken(name, `${error.message} [${error.code}]`, error.fix ?? 'See the log of the server.');
}

/** One step of an examination, under the name by which a failure of it is told. */
export type Step = readonly [name: string, look: () => Promise<readonly Check[]>];

/** Step by step to the first that finds something broken: whatever follows would tell the same again. */
export async function untilBroken(steps: readonly Step[]): Promise<Check[]> {
  const found: Check[] = [];
  for (const [name, look] of steps) {
    try {
      found.push(...(await look()));
    } catch (error) {
      found.push(brokenBy(name, error));
    }
    if (found.some(({ verdict }) => verdict === 'broken')) return found;
  }
  return found;
}
