import { Gauge, Histogram, Registry } from 'prom-client';
import type { Desk } from '../credential/desk.ts';
import type { Circuit } from '../keystore/circuit.ts';
import { Tally } from './tally.ts';

const CIRCUITS = ['closed', 'half-open', 'open'] as const satisfies readonly Circuit[];

/** Series of single credentials. A scrape takes 5 MB of rows for them at most. */
const SERIES = 1_000;
/** Those that somebody may have to do something about. */
const COUNTED = ['pending', 'staged', 'current', 'previous', 'retired', 'compromised', 'quarantined'] as const;

/** Scrapes are answered from a probe of a store that is at most so old, milliseconds. */
const PROBE_AGE_MS = 2_000;
/** They wait so long for a store that is slow, and then take what it said last, milliseconds. */
const PROBE_PATIENCE_MS = 1_000;

/** Gauges that are read when somebody scrapes. */
export interface Readings {
  readonly listenerNotAfter: () => number;
  /** Times that the checkpoint outside could not be written since the start. */
  readonly checkpointFailures: () => number;
  /** Clients that wait for news. */
  readonly watchers: () => number;
}

/** Everything the server measures, in a registry of its own; base units, no names of principals. */
export class Metrics {
  readonly registry = new Registry();
  readonly requests = new Tally({
    name: 'keyturn_http_requests_total',
    help: 'Requests answered, by operation and status.',
    labelNames: ['operation', 'status'],
    registers: [this.registry],
  });
  readonly seconds = new Histogram({
    name: 'keyturn_http_request_duration_seconds',
    help: 'Time to answer, by operation.',
    labelNames: ['operation'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5],
    registers: [this.registry],
  });
  readonly access = new Tally({
    name: 'keyturn_access_total',
    help: 'Key accesses, by operation and outcome code.',
    labelNames: ['operation', 'outcome'],
    registers: [this.registry],
  });
  readonly storeSeconds = new Histogram({
    name: 'keyturn_store_request_duration_seconds',
    help: 'Key store calls, by store, verb and result.',
    labelNames: ['store', 'verb', 'result'],
    buckets: [0.001, 0.005, 0.025, 0.1, 0.5, 1, 5, 10],
    registers: [this.registry],
  });
  readonly issuerSeconds = new Histogram({
    name: 'keyturn_issuer_request_duration_seconds',
    help: 'Calls of issuers of certificates, by issuer, verb and result; what is refused is an error too.',
    labelNames: ['issuer', 'verb', 'result'],
    buckets: [0.01, 0.05, 0.25, 1, 5, 10, 30],
    registers: [this.registry],
  });
  readonly keyCache = new Tally({
    name: 'keyturn_key_cache_total',
    help: 'Reads for leases: from memory (hit), or from the key store (miss).',
    labelNames: ['result'],
    registers: [this.registry],
  });

  readonly reminders = new Tally({
    name: 'keyturn_reminders_total',
    help: 'Reminders of tasks, by the way they went and what became of it; each try counts.',
    labelNames: ['by', 'result'],
    registers: [this.registry],
  });

  readonly #circuits = new Gauge({
    name: 'keyturn_store_circuit',
    help: 'Circuit breaker of a key store elsewhere: 1 at the state it is in.',
    labelNames: ['store', 'state'],
    registers: [this.registry],
  });

  readonly #issuerCircuits = new Gauge({
    name: 'keyturn_issuer_circuit',
    help: 'Circuit breaker of a PKI engine of Vault or OpenBao: 1 at the state it is in.',
    labelNames: ['issuer', 'state'],
    registers: [this.registry],
  });

  issuerCircuit(issuer: string, now: Circuit): void {
    for (const state of CIRCUITS) this.#issuerCircuits.set({ issuer, state }, state === now ? 1 : 0);
  }

  circuit(store: string, now: Circuit): void {
    for (const state of CIRCUITS) this.#circuits.set({ store, state }, state === now ? 1 : 0);
  }

  /** Adds the gauges that look at the running instance. */
  watch(desk: Desk, readings: Readings): void {
    const gauge = (name: string, help: string, read: () => number) => {
      new Gauge({
        name,
        help,
        registers: [this.registry],
        collect() {
          this.set(read());
        },
      });
    };
    gauge('keyturn_ledger_ready', '1 while the ledger can commit.', () =>
      desk.ledger.status().state === 'ready' ? 1 : 0,
    );
    gauge('keyturn_ledger_pending', 'Changes waiting for a durable commit.', () => desk.ledger.status().pending);
    gauge('keyturn_log_size', 'Entries on the log.', () => desk.ledger.status().size);
    gauge(
      'keyturn_listener_not_after_timestamp_seconds',
      'End of the listener certificate.',
      readings.listenerNotAfter,
    );
    gauge(
      'keyturn_outside_checkpoint_failures',
      'Failed writes of the outside checkpoint.',
      readings.checkpointFailures,
    );
    gauge('keyturn_watchers', 'Clients that wait for news of their credentials.', readings.watchers);
    this.#watchCertificates(desk);
    this.#watchStores(desk);
  }

  /** Bounded, however many credentials there are: what ends first has a series of its own, all are counted. */
  #watchCertificates(desk: Desk): void {
    const current = { state: 'current' } as const;
    new Gauge({
      name: 'keyturn_credential_not_after_left_out',
      help: `Current versions without a series of their own: those that end after the ${SERIES} that have one.`,
      registers: [this.registry],
      async collect() {
        const count = await desk.ledger.count('versions', current).catch(() => null);
        if (count !== null) this.set(Math.max(0, count - SERIES));
      },
    });
    new Gauge({
      name: 'keyturn_credential_not_after_timestamp_seconds',
      help: `End of the current version of a credential, of the ${SERIES} that end first.`,
      labelNames: ['credential', 'version', 'state'],
      registers: [this.registry],
      async collect() {
        const first = { orderBy: 'not_after', limit: SERIES } as const;
        // A ledger that is down shows in its own gauge; what was read before stays.
        const rows = await desk.ledger.find('versions', current, first).catch(() => null);
        if (rows === null) return;
        this.reset();
        for (const row of rows) {
          this.set({ credential: row.credential, version: row.version, state: row.state }, row.not_after / 1000);
        }
      },
    });
    new Gauge({
      name: 'keyturn_versions',
      help: 'Versions of all credentials, by state.',
      labelNames: ['state'],
      registers: [this.registry],
      async collect() {
        await Promise.all(
          COUNTED.map(async (state) => {
            const count = await desk.ledger.count('versions', { state }).catch(() => null);
            if (count !== null) this.set({ state }, count);
          }),
        );
      },
    });
  }

  #watchStores(desk: Desk): void {
    new Gauge({
      name: 'keyturn_store_up',
      help: '1 while the key store answers.',
      labelNames: ['store'],
      registers: [this.registry],
      async collect() {
        await Promise.all(
          [...desk.stores].map(async ([name, store]) => {
            this.set({ store: name }, (await store.healthWithin(PROBE_PATIENCE_MS, PROBE_AGE_MS, true)).ready ? 1 : 0);
          }),
        );
      },
    });
  }
}
