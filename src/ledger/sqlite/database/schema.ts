import type { DatabaseSync } from 'node:sqlite';
import { KeyturnError } from '../../../core/errors.ts';

import { INDEXES, NEWEST } from './later-migrations.ts';

/**
 * Migrations, numbered from 1: the place in the list. The number of the last one that ran is the file's
 * `user_version`. One that has been released is never edited; a change is a new one at the end.
 */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE credentials (
    name TEXT NOT NULL PRIMARY KEY,
    partner TEXT NOT NULL,
    environment TEXT NOT NULL,
    created_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE versions (
    credential TEXT NOT NULL REFERENCES credentials (name),
    version INTEGER NOT NULL CHECK (version > 0),
    state TEXT NOT NULL CHECK (state IN ('pending', 'staged', 'current', 'previous', 'retired', 'destroyed',
      'compromised', 'abandoned', 'quarantined')),
    spki TEXT NOT NULL,
    serial TEXT NOT NULL,
    subject TEXT NOT NULL,
    issuer TEXT NOT NULL,
    not_before INTEGER NOT NULL,
    not_after INTEGER NOT NULL,
    certificate TEXT NOT NULL,
    chain TEXT NOT NULL,
    store TEXT NOT NULL,
    record TEXT NOT NULL,
    custody TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    PRIMARY KEY (credential, version)
  ) STRICT, WITHOUT ROWID;
  -- A key is used once in all time; only one that never reached its store may come again.
  CREATE UNIQUE INDEX versions_spki ON versions (spki) WHERE state <> 'abandoned';
  CREATE UNIQUE INDEX versions_one_current ON versions (credential) WHERE state = 'current';
  CREATE INDEX versions_state ON versions (state);

  CREATE TABLE companions (
    credential TEXT NOT NULL REFERENCES credentials (name),
    name TEXT NOT NULL,
    generation INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'current', 'superseded', 'abandoned')),
    store TEXT NOT NULL,
    record TEXT NOT NULL,
    length INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (credential, name, generation)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE holds (
    id TEXT NOT NULL PRIMARY KEY,
    target TEXT NOT NULL CHECK (target IN ('version', 'credential', 'principal', 'host', 'store')),
    subject TEXT NOT NULL,
    reason TEXT NOT NULL,
    placed_by TEXT NOT NULL,
    placed_at INTEGER NOT NULL,
    thaw_asked_by TEXT,
    thaw_asked_at INTEGER,
    lifted_by TEXT,
    lifted_at INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX holds_in_force ON holds (target, subject) WHERE lifted_at IS NULL;

  CREATE TABLE leases (
    id TEXT NOT NULL PRIMARY KEY,
    credential TEXT NOT NULL,
    version INTEGER NOT NULL,
    principal TEXT NOT NULL,
    token TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('live', 'returned', 'expired', 'ended')),
    granted_at INTEGER NOT NULL,
    renewed_at INTEGER,
    expires_at INTEGER NOT NULL,
    uses TEXT,
    FOREIGN KEY (credential, version) REFERENCES versions (credential, version)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX leases_version ON leases (credential, version, state);
  CREATE INDEX leases_expiry ON leases (state, expires_at);

  CREATE TABLE tokens (
    id TEXT NOT NULL PRIMARY KEY,
    principal TEXT NOT NULL,
    hash TEXT NOT NULL UNIQUE,
    comment TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    revoked_at INTEGER
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE stores (
    store TEXT NOT NULL PRIMARY KEY,
    generation INTEGER NOT NULL,
    digest TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE policies (
    id TEXT NOT NULL PRIMARY KEY CHECK (id = 'current'),
    digest TEXT NOT NULL,
    loaded_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  -- The log. Level 0 of the tree is the column leaf; tree_nodes holds the complete subtrees above it.
  CREATE TABLE entries (
    idx INTEGER PRIMARY KEY,
    time INTEGER NOT NULL,
    kind TEXT NOT NULL,
    actor TEXT NOT NULL,
    credential TEXT,
    json TEXT NOT NULL,
    leaf BLOB NOT NULL CHECK (length(leaf) = 32)
  ) STRICT;
  CREATE INDEX entries_kind ON entries (kind);
  CREATE INDEX entries_actor ON entries (actor);
  CREATE INDEX entries_credential ON entries (credential) WHERE credential IS NOT NULL;
  CREATE INDEX entries_time ON entries (time);

  CREATE TABLE tree_nodes (
    level INTEGER NOT NULL CHECK (level > 0),
    idx INTEGER NOT NULL,
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (level, idx)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE checkpoints (
    size INTEGER PRIMARY KEY,
    note TEXT NOT NULL
  ) STRICT;

  -- One row. Its size is compared and set in every commit.
  CREATE TABLE head (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    size INTEGER NOT NULL,
    frontier BLOB NOT NULL,
    time INTEGER NOT NULL
  ) STRICT;
  `,
  `
  -- Records on their way out of a key store.
  CREATE TABLE moves (
    id TEXT NOT NULL PRIMARY KEY,
    credential TEXT NOT NULL REFERENCES credentials (name),
    record TEXT NOT NULL,
    source TEXT NOT NULL,
    target TEXT,
    state TEXT NOT NULL CHECK (state IN ('copying', 'left', 'destroying', 'destroyed', 'abandoned', 'returned')),
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  -- A record goes one way at a time out of one store.
  CREATE UNIQUE INDEX moves_open ON moves (record, source) WHERE state IN ('copying', 'destroying');
  CREATE INDEX moves_state ON moves (state);
  `,
  // Taken by replicas only, which this adapter has none of; there so that both adapters answer the same checks.
  `
  CREATE TABLE fences (
    name TEXT NOT NULL PRIMARY KEY,
    number INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- Replacements of versions, and what people do for them.
  CREATE TABLE rotations (
    id TEXT NOT NULL PRIMARY KEY,
    credential TEXT NOT NULL REFERENCES credentials (name),
    replaces INTEGER,
    version INTEGER,
    reason TEXT NOT NULL,
    asked_by TEXT NOT NULL,
    issuer TEXT NOT NULL,
    store TEXT,
    record TEXT,
    spki TEXT,
    state TEXT NOT NULL CHECK (state IN ('running', 'halted', 'undoing', 'completed', 'aborted', 'rolled-back')),
    step TEXT NOT NULL,
    step_since INTEGER NOT NULL,
    waits_for TEXT NOT NULL,
    revision INTEGER NOT NULL,
    facts TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    ended_at INTEGER
  ) STRICT, WITHOUT ROWID;
  -- One at a time.
  CREATE UNIQUE INDEX rotations_open ON rotations (credential) WHERE ended_at IS NULL;
  CREATE INDEX rotations_credential ON rotations (credential, created_at);
  CREATE TABLE tasks (
    id TEXT NOT NULL PRIMARY KEY,
    rotation TEXT NOT NULL REFERENCES rotations (id),
    credential TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('import', 'certificate', 'revoke', 'look')),
    state TEXT NOT NULL CHECK (state IN ('open', 'done', 'cancelled')),
    owner TEXT NOT NULL,
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    due_at INTEGER NOT NULL,
    reminders INTEGER NOT NULL,
    reminded_at INTEGER,
    created_at INTEGER NOT NULL,
    closed_at INTEGER,
    closed_by TEXT,
    note TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX tasks_rotation ON tasks (rotation);
  CREATE INDEX tasks_state ON tasks (state, due_at);
  `,
  `
  -- Built-in authorities, and what they have issued.
  CREATE TABLE authorities (
    issuer TEXT NOT NULL,
    generation INTEGER NOT NULL CHECK (generation > 0),
    state TEXT NOT NULL CHECK (state IN ('pending', 'current')),
    store TEXT NOT NULL,
    record TEXT NOT NULL,
    certificate TEXT NOT NULL,
    crl TEXT NOT NULL,
    crl_number INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    PRIMARY KEY (issuer, generation)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE issued (
    issuer TEXT NOT NULL,
    serial TEXT NOT NULL,
    generation INTEGER NOT NULL,
    spki TEXT NOT NULL,
    credential TEXT NOT NULL,
    issuance TEXT NOT NULL,
    certificate TEXT NOT NULL,
    not_after INTEGER NOT NULL,
    issued_at INTEGER NOT NULL,
    revoked_at INTEGER,
    reason TEXT,
    PRIMARY KEY (issuer, serial),
    FOREIGN KEY (issuer, generation) REFERENCES authorities (issuer, generation)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX issued_spki ON issued (issuer, spki);
  -- What a revocation list is made from.
  CREATE INDEX issued_revoked ON issued (issuer, not_after) WHERE revoked_at IS NOT NULL;
  `,
  INDEXES,
  // What clients have said of the versions that they use, and which lease took the place of which.
  `
  ALTER TABLE leases ADD COLUMN replaced_by TEXT;
  ALTER TABLE leases ADD COLUMN in_use TEXT;
  `,
  ...NEWEST,
];

/**
 * Brings the file to the newest schema, each migration in a transaction of its own.
 * @throws KeyturnError `ledger_corrupt` when the file was written by a newer version.
 */
export function migrate(database: DatabaseSync, list: readonly string[] = MIGRATIONS): void {
  const done = Number(database.prepare('PRAGMA user_version').get()?.['user_version']);
  if (done > list.length) {
    throw new KeyturnError('ledger_corrupt', `The ledger has schema ${done}; this version knows ${list.length}.`, {
      fix: 'Start the version of Keyturn that wrote it, or a newer one.',
    });
  }
  for (const [index, sql] of list.entries()) {
    if (index < done) continue;
    database.exec('BEGIN IMMEDIATE');
    database.exec(sql);
    database.exec(`PRAGMA user_version = ${index + 1}`);
    database.exec('COMMIT');
  }
}
