/** One thing that doctor looked at. `fix` is a command or a sentence; empty when all is well. */
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
