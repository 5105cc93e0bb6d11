import type { JsonObject } from '../core/canonical-json.ts';

/**
 * What a feature hands in to be recorded. Features declare their own kinds (`lease.granted`,
 * `version.promoted`, `access.denied`); the audit room knows the envelope alone.
 */
export interface EntryDraft {
  /** `noun.past-participle`, lower case, e.g. `lease.granted`. */
  readonly kind: string;
  /** Principal id (`service:payments`, `person:alice`), `system` or `unknown`. */
  readonly actor: string;
  /** Credential name when the entry is about one. */
  readonly credential?: string;
  /** Version number when the entry is about one. */
  readonly version?: number;
  /** Id of the request that caused it. */
  readonly request?: string;
  /** Facts of this kind. Public facts only: never key material, tokens or passwords. */
  readonly data: JsonObject;
}

/** A draft as it was recorded: with its place in the log and the ledger's time. */
export interface AuditEntry extends EntryDraft {
  /** Version of the envelope. */
  readonly v: 1;
  /** Zero-based position in the log; the leaf index in the Merkle tree. */
  readonly index: number;
  /** RFC 3339, UTC, milliseconds; never earlier than the entry before it. */
  readonly time: string;
}
