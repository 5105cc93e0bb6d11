import { createSecureContext } from 'node:tls';
import { KeyturnError } from '../../../src/core/errors.ts';
import type { Desk } from '../../../src/credential/desk.ts';
import type { VersionRow } from '../../../src/ledger/tables.ts';
import type { Probing } from '../../../src/rotation/proof/prober.ts';

const NOTHING = createSecureContext();

/** A partner that lives in memory: what it answers to a certificate, by what it was told of it. */
export class ModelPartner implements Probing {
  /** What it says to certificates that are not revoked. */
  mood: 'accepts' | 'refuses' | 'times-out' = 'accepts';
  /** Takes no notice of revocations. */
  deaf = false;
  readonly revoked = new Set<string>();
  readonly #desk: Desk;

  constructor(desk: Desk) {
    this.#desk = desk;
  }

  readonly open: Probing['open'] = async (_row, versions) => {
    for (const { store, record } of versions) {
      const held = await this.#desk.stores.get(store)?.tryRead(record);
      if (held == null) throw new KeyturnError('not_found', 'The key is gone.');
      held.dispose();
    }
    return versions.map((version) => ({ version, context: NOTHING }));
  };

  readonly show: Probing['show'] = async ({ version }) => {
    const verdict = this.#verdict(version);
    return { at: this.#desk.clock.now(), verdict, cause: 'status', detail: 'told by the model', addresses: [] };
  };

  #verdict({ serial }: VersionRow): 'accepted' | 'refused' | 'inconclusive' {
    if (this.mood === 'times-out') return 'inconclusive';
    if (this.revoked.has(serial) && !this.deaf) return 'refused';
    return this.mood === 'refuses' ? 'refused' : 'accepted';
  }
}
