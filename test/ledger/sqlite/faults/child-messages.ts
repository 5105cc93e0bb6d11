import type { Receipt } from '../../../../src/audit/receipt.ts';
import type { LedgerStatus } from '../../../../src/ledger/ledger.ts';

export interface ChildSetup {
  readonly path: string;
  readonly origin: string;
  /** PKCS#8 DER, base64; made for this test alone. */
  readonly key: string;
  readonly stallAfterMs: number;
}

export type ToChild = { readonly kind: 'commit' | 'burst' | 'report' | 'find' };

export type FromChild =
  | { readonly kind: 'ready'; readonly size: number }
  | {
      readonly kind: 'acknowledged';
      readonly id: string;
      readonly receipt: Receipt;
      readonly startMs: number;
      readonly endMs: number;
    }
  | { readonly kind: 'rejected'; readonly code: string; readonly startMs: number; readonly endMs: number }
  | { readonly kind: 'found' }
  | { readonly kind: 'status'; readonly status: LedgerStatus; readonly atMs: number }
  | {
      readonly kind: 'report';
      readonly status: LedgerStatus;
      readonly statusMs: number;
      readonly worstLagMs: number;
    };
