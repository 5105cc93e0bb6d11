import type { SecureContext } from 'node:tls';
import type { Desk } from '../../credential/desk.ts';
import { storeNamed } from '../../credential/store/settle-moves.ts';
import type { RotationRow, VersionRow } from '../../ledger/tables.ts';
import { type Environment, serverTrustOf, type TestRequest } from '../../partner/profile.ts';
import { clientContext } from '../../tls/client-context.ts';
import { type ProbeOptions, type ProbeRequest, type ProbeResult, probe } from '../../tls/probe/probe.ts';
import type { Seen } from '../workflow/facts.ts';

export interface ProberOptions {
  readonly desk: Desk;
  /** Every address of a name. Default: the system's resolver. */
  readonly resolve?: ProbeOptions['resolve'];
}

/** A version that the partner is shown. */
export interface Shown {
  readonly version: VersionRow;
  readonly context: SecureContext;
}

/** What shows versions to the partner, see {@link Prober}. */
export type Probing = Pick<Prober, 'open' | 'show'>;

/**
 * Shows versions to the partner, and nothing else: the only one that uses a key which is held, retired or revoked. Every
 * use is on the log before the key is read.
 */
export class Prober {
  readonly #desk: Desk;
  readonly #resolve: ProbeOptions['resolve'];

  constructor({ desk, resolve }: ProberOptions) {
    this.#desk = desk;
    this.#resolve = resolve;
  }

  /**
   * Records what is about to be shown, then reads the keys.
   * @throws KeyturnError `ledger_unavailable`, `keystore_unavailable`, `not_found` when a key is gone.
   */
  async open(
    row: RotationRow,
    versions: readonly VersionRow[],
    environment: Environment,
    purpose: string,
  ): Promise<Shown[]> {
    const { test } = environment.lifecycle;
    for (const { credential, version, spki } of versions) {
      await this.#desk.ledger.commit({
        entry: {
          kind: 'version.probing',
          actor: 'system',
          credential,
          version,
          data: { rotation: row.id, purpose, spki, host: test?.host ?? null },
        },
      });
    }
    return Promise.all(
      versions.map(async (version) => {
        using key = await storeNamed(this.#desk, version.store).read(version.record);
        const { certificate, chain } = version;
        const trust = serverTrustOf(environment, chain);
        return { version, context: clientContext({ key, certificate, chain, trust }) };
      }),
    );
  }

  /** One full handshake with every address, and the request of the profile. Never rejects for what the partner does. */
  async show({ version, context }: Shown, test: TestRequest, environment: Environment): Promise<Seen & ProbeResult> {
    const request = await this.#requestOf(test, version.credential);
    const result = await probe({
      request,
      secureContext: context,
      refusals: environment.refusals,
      ...(this.#resolve === undefined ? {} : { resolve: this.#resolve }),
    });
    return { at: this.#desk.clock.now(), ...result };
  }

  /** With the companion secrets in the headers that the profile names. */
  async #requestOf(test: TestRequest, credential: string): Promise<ProbeRequest> {
    const headers: Record<string, string> = { ...test.headers };
    for (const [header, name] of Object.entries(test.companions)) {
      const [row] = await this.#desk.ledger.find('companions', { credential, name, state: 'current' });
      // Without it the partner answers as it does to whoever has none, which the profile then does not expect.
      if (row === undefined) continue;
      using value = await storeNamed(this.#desk, row.store).read(row.record);
      // Node takes headers as text alone. It lives as long as the request.
      headers[header] = value.bytes.toString('latin1');
    }
    const { host, method, path, body, expect, unregistered } = test;
    return { host, method, path, headers, body, expect, unregistered, timeoutMs: test.timeoutSeconds * 1000 };
  }
}

/** What is kept of an answer. */
export function seen({ at, verdict, cause, detail }: Seen): Seen {
  return { at, verdict, cause, detail };
}
