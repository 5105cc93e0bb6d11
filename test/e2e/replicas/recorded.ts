import type { Ledger } from '../../../src/ledger/ledger.ts';

const PAGE = 10_000;

/** An entry, as far as kinds are counted. */
export interface Recorded {
  readonly kind: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** Every entry of a credential. */
export async function readKinds(ledger: Ledger, credential: string): Promise<Recorded[]> {
  const found: Recorded[] = [];
  const { size: to } = await ledger.head();
  for (let from = 0; ; ) {
    const page = await ledger.entries({ credential, from, to, limit: PAGE });
    const last = page.at(-1);
    if (last === undefined) return found;
    found.push(...page.map(({ json }) => JSON.parse(json) as Recorded));
    from = last.index + 1;
  }
}
