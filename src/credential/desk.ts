import type { Policy } from '../access/policy.ts';
import type { Clock } from '../core/clock.ts';
import type { KeyCache } from '../keystore/cache/key-cache.ts';
import type { KeyStore } from '../keystore/keystore.ts';
import type { LogGenerations } from '../ledger/generations.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { Profiles } from '../partner/profile.ts';
import type { AnswerSealers } from '../sealed/sealers.ts';
import type { HoldSwitch } from './hold/hold-switch.ts';
import type { StoreQueue } from './store/store-queue.ts';

/** Bounds of a lease's life, seconds. */
export interface LeaseLimits {
  readonly defaultSeconds: number;
  readonly maximumSeconds: number;
}

/**
 * What every use case works with. `policy` and `profiles` are asked anew for each request, since an operator may
 * have loaded others; a decision made on an old policy cannot commit (the commit checks the policy's digest).
 */
export interface Desk {
  readonly ledger: Ledger;
  readonly generations: LogGenerations;
  readonly policy: () => Policy;
  readonly profiles: () => Profiles;
  /** Every key store by name; `defaultStore` takes new keys. */
  readonly stores: ReadonlyMap<string, KeyStore>;
  readonly defaultStore: KeyStore;
  /** What is lent is read through this. */
  readonly keys: KeyCache;
  readonly storeQueue: StoreQueue;
  readonly holds: HoldSwitch;
  readonly sealers: AnswerSealers;
  readonly clock: Clock;
  readonly leaseLimits: LeaseLimits;
  /** False when another server of this ledger has loaded another policy, so that nothing decided here can commit, or other profiles. */
  readonly policyIsCurrent: () => boolean;
}
