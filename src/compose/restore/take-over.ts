import type { LogSigner, LogVerifier } from '../../audit/checkpoint.ts';
import type { AuditEntry } from '../../audit/entry.ts';
import { FIRST_GENERATION, GENERATION_STARTED, signGeneration } from '../../audit/generation.ts';
import { timestamp } from '../../core/clock.ts';
import { newId } from '../../core/ids.ts';
import { holdChange, holdOf, IN_FORCE } from '../../credential/hold/hold-journal.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import type { SignedHead } from '../../ledger/log/proof.ts';

/** Who restores: whoever has the machine, the identity and the master key. */
export const RESTORER = 'local:restore';

export interface Beginning {
  readonly signer: LogSigner;
  readonly verifier: LogVerifier;
  readonly head: SignedHead;
  readonly generation: number;
  readonly now: number;
  /** Public facts for the entry. */
  readonly facts: Readonly<Record<string, string | number | null>>;
}

/** The first entry of the new generation: the statement, and what is known to be lost. The ledger was opened for it. */
export async function beginGeneration(ledger: Ledger, beginning: Beginning): Promise<string> {
  const { signer, verifier, head, generation, now, facts } = beginning;
  const base = verifier.open(head.checkpoint);
  const follows = Math.max(FIRST_GENERATION, base.generation);
  const statement = signGeneration(signer, { generation, follows, base, time: timestamp(now) });
  const data = { ...facts, generation, follows, base: base.size, statement };
  await ledger.commit({ entry: { kind: GENERATION_STARTED, actor: RESTORER, data } });
  return statement;
}

/**
 * What stops somebody is taken over from the tail: freezes that it shows as placed and not as lifted, and tokens that
 * it shows as revoked. Nothing that lets somebody do anything is.
 */
export async function takeOverStops(ledger: Ledger, tail: readonly AuditEntry[], now: number) {
  const lifted = new Set(tail.filter(({ kind }) => kind === 'hold.lifted').map(({ data }) => data['hold']));
  const placed = tail
    .map((entry) => (entry.kind === 'hold.placed' ? holdOf(entry) : null))
    .filter((row) => row !== null);
  let frozen = 0;
  for (const row of placed.filter(({ id }) => !lifted.has(id))) {
    if ((await ledger.commit(holdChange(row))).committed) frozen += 1;
  }
  let revoked = 0;
  for (const { kind, data } of tail) {
    const id = kind === 'token.revoked' ? data['token'] : null;
    if (typeof id !== 'string') continue;
    const outcome = await ledger.commit({
      checks: [{ rule: 'token-live', table: 'tokens', some: { id, revoked_at: null } }],
      writes: [{ update: 'tokens', where: { id }, set: { revoked_at: now }, rows: 1 }],
      entry: { kind: 'token.revoked', actor: RESTORER, data: { token: id } },
    });
    if (outcome.committed) revoked += 1;
  }
  return { frozen, revoked };
}

/** A hold on every store: nothing leaves until two persons have thawed it. */
export async function freezeStores(ledger: Ledger, stores: readonly string[], now: number): Promise<void> {
  const reason = 'restored from a backup: what was frozen after it is not known';
  for (const store of stores) {
    const placed = {
      id: newId('hold', now),
      target: 'store',
      subject: store,
      placed_by: RESTORER,
      placed_at: now,
    } as const;
    await ledger.commit(holdChange({ ...placed, reason, ...IN_FORCE }));
  }
}
