/**
 * The ledger's rows. One definition for every adapter; columns are snake_case as in SQL.
 * Times are integers, milliseconds since the Unix epoch (UTC). `null` means "not yet" or "none".
 * No row ever holds a private key, a companion secret, a token or a password.
 */

/** A named mTLS identity toward one partner in one environment. Key: `name`. */
export interface CredentialRow {
  name: string;
  partner: string;
  environment: string;
  created_at: number;
}

/** SP 800-57 part 1 section 7 in our words; `abandoned` is a pending version whose key never reached the store. */
export type VersionState =
  | 'pending'
  | 'staged'
  | 'current'
  | 'previous'
  | 'retired'
  | 'destroyed'
  | 'compromised'
  | 'abandoned'
  | 'quarantined';

/** One key + certificate of a credential. Key: `(credential, version)`; `spki` is unique over all time except abandoned rows. */
export interface VersionRow {
  credential: string;
  /** 1, 2, 3 … within the credential. */
  version: number;
  state: VersionState;
  /** SHA-256 of the DER SubjectPublicKeyInfo, lower-case hex: the key's name everywhere. */
  spki: string;
  /** Lower-case hex, no leading zeros. */
  serial: string;
  /** RFC 4514 style, as read from the certificate. */
  subject: string;
  issuer: string;
  not_before: number;
  /** Inclusive (RFC 5280 section 4.1.2.5). */
  not_after: number;
  /** PEM, one certificate, LF line ends. */
  certificate: string;
  /** PEM, issuer certificates leaf-side first, root last if it was given; may be empty. */
  chain: string;
  /** Name of the key store that holds the private key, e.g. `file`. */
  store: string;
  /** Record name in that store, see `keystore/record-name.ts`. */
  record: string;
  /** JSON: who, when, SHA-256 of the upload, origin of the key. */
  custody: string;
  created_at: number;
  /** When `state` last changed. */
  changed_at: number;
}

/** A companion secret (e.g. an app token) of a credential. Key: `(credential, name, generation)`. */
export interface CompanionRow {
  credential: string;
  name: string;
  generation: number;
  state: 'pending' | 'current' | 'superseded' | 'abandoned';
  store: string;
  record: string;
  /** SHA-256 keyed by nothing would tell a guess; so only the length is kept. */
  length: number;
  created_at: number;
}

export const HOLD_TARGETS = ['version', 'credential', 'principal', 'host', 'store'] as const;
export type HoldTarget = (typeof HOLD_TARGETS)[number];

/** A freeze. In force while `lifted_at` is null. Key: `id`. */
export interface HoldRow {
  id: string;
  target: HoldTarget;
  /** `lean/sandbox@2` for a version, `lean/sandbox`, `service:payments`, `api.example.com`, `file`. */
  subject: string;
  reason: string;
  placed_by: string;
  placed_at: number;
  /** First of two persons who asked to lift it. */
  thaw_asked_by: string | null;
  thaw_asked_at: number | null;
  lifted_by: string | null;
  lifted_at: number | null;
}

/** A time-limited grant of one version to one principal. Key: `id`. */
export interface LeaseRow {
  id: string;
  credential: string;
  version: number;
  principal: string;
  token: string;
  state: 'live' | 'returned' | 'expired' | 'ended';
  granted_at: number;
  renewed_at: number | null;
  expires_at: number;
  /** What the client last reported: JSON list as `ReportedUse`; null before the first report. */
  uses: string | null;
  /** The lease that took its place when it ended; null for none. */
  replaced_by: string | null;
  /** JSON list of the versions that the client said are in use under this lease; null before it said so. */
  in_use: string | null;
}

/** An API token. The token itself is never stored. Key: `id`. */
export interface TokenRow {
  id: string;
  principal: string;
  /** SHA-256 of the token's 32 random octets, lower-case hex. Fast hashing is right for 256 bits of entropy. */
  hash: string;
  comment: string;
  created_by: string;
  created_at: number;
  expires_at: number;
  revoked_at: number | null;
}

/** What the ledger last knew of a key store that can attest to its content. Key: `store`. */
export interface StoreRow {
  store: string;
  generation: number;
  /** Lower-case hex. */
  digest: string;
}

/**
 * A record's way out of a key store: into another one, or out of all. `copying` and `destroying` are effects under way;
 * what is `left` is an old copy in `source` that nobody has had destroyed yet. Key: `id`.
 */
export interface MoveRow {
  id: string;
  credential: string;
  /** Record name, the same in both stores. */
  record: string;
  source: string;
  /** Store that the record goes to; null when it is destroyed for good. */
  target: string | null;
  /** `abandoned`: it never reached the target. `returned`: the copy became the record itself again. */
  state: 'copying' | 'left' | 'destroying' | 'destroyed' | 'abandoned' | 'returned';
  created_at: number;
  /** When `state` last changed. */
  changed_at: number;
}

/** Where a rotation stands, see `rotation/workflow/path.ts`. What has ended has an end. */
export type RotationState = 'running' | 'halted' | 'undoing' | 'completed' | 'aborted' | 'rolled-back';

/**
 * The replacement of a credential's current version. Key: `id`; at most one of a credential has no end. Its journal is
 * the log; what the next step needs to know is here.
 */
export interface RotationRow {
  id: string;
  credential: string;
  /** Version that is replaced; null when the credential had none. */
  replaces: number | null;
  /** Number of the successor, reserved when our own key for it is made; null until then, or until it is imported. */
  version: number | null;
  reason: string;
  asked_by: string;
  /** Name of the issuer: `manual`, or one of the configuration. */
  issuer: string;
  /** The key that we made, from before it is written to its store on; null where the partner makes it. */
  store: string | null;
  record: string | null;
  /** SHA-256 of its DER SubjectPublicKeyInfo; null until it rests in the store. */
  spki: string | null;
  state: RotationState;
  /** What is to be done next. */
  step: string;
  /** When the step was reached. */
  step_since: number;
  /** Why it does not go on at this moment; empty when it does. */
  waits_for: string;
  /** Counts the changes of this row: each names the one that it was decided on. */
  revision: number;
  /** JSON: the way planned at the start, and what the steps so far have found. */
  facts: string;
  created_at: number;
  changed_at: number;
  ended_at: number | null;
}

/** Something that a person does for a rotation. Key: `id`. */
export interface TaskRow {
  id: string;
  rotation: string;
  credential: string;
  kind: 'import' | 'certificate' | 'revoke' | 'look' | 'decide';
  state: 'open' | 'done' | 'cancelled';
  /** Whom it is for: a contact's role, or the person who asked for the rotation. */
  owner: string;
  title: string;
  /** JSON: steps, texts that are ready to send, names and addresses. */
  body: string;
  due_at: number;
  /** How many reminders went out, and when the last one did. */
  reminders: number;
  reminded_at: number | null;
  created_at: number;
  closed_at: number | null;
  closed_by: string | null;
  /** What the person said about it. */
  note: string | null;
}

/**
 * A built-in authority (issuer of the kind `local`): where its key rests, and its newest revocation list. Key:
 * `(issuer, generation)`.
 */
export interface AuthorityRow {
  /** As configuration calls it. */
  issuer: string;
  /** 1, 2, 3 …: each key has its own. */
  generation: number;
  /** `pending`: its key is on the way into the store. */
  state: 'pending' | 'current';
  /** Name of the key store that holds the private key. */
  store: string;
  record: string;
  /** PEM, LF line ends; empty while pending. */
  certificate: string;
  /** PEM; empty while pending. */
  crl: string;
  crl_number: number;
  created_at: number;
  /** When the row last changed. */
  changed_at: number;
}

/** A certificate that a built-in authority has issued. Key: `(issuer, serial)`. */
export interface IssuedRow {
  issuer: string;
  /** Lower-case hex, no leading zeros. */
  serial: string;
  /** Of the authority's key that signed it. */
  generation: number;
  spki: string;
  credential: string;
  /** The asker's name for the issuance. */
  issuance: string;
  /** PEM, one certificate, LF line ends. */
  certificate: string;
  not_after: number;
  issued_at: number;
  revoked_at: number | null;
  /** As `issuer/reason.ts` calls it; null while it is not revoked. */
  reason: string | null;
}

/** The access policy in force. Key: `id`, always `current`. */
export interface PolicyRow {
  id: 'current';
  /** SHA-256 of the loaded files, lower-case hex. */
  digest: string;
  loaded_at: number;
}

/** How often a fence was taken (`fence.ts`); coordination between replicas, no entry tells of it. Key: `name`. */
export interface FenceRow {
  name: string;
  number: number;
}

export interface Tables {
  credentials: CredentialRow;
  versions: VersionRow;
  companions: CompanionRow;
  holds: HoldRow;
  leases: LeaseRow;
  tokens: TokenRow;
  stores: StoreRow;
  moves: MoveRow;
  rotations: RotationRow;
  tasks: TaskRow;
  authorities: AuthorityRow;
  issued: IssuedRow;
  policies: PolicyRow;
  fences: FenceRow;
}
export type TableName = keyof Tables;
