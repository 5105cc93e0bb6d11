/**
 * The migration that adds indexes for what is asked at any number of credentials. What ends soonest is asked for at every
 * scrape of the metrics, and how many versions there are of each state. Leases of a credential are found among its own:
 * without statistics the planner would look at all that live anywhere. Never edited: a change is a new migration.
 */
export const INDEXES = `
  CREATE INDEX versions_ending ON versions (state, not_after);
  DROP INDEX versions_state;
  CREATE INDEX versions_store ON versions (store, credential);
  CREATE INDEX companions_store ON companions (store, credential);
  CREATE INDEX leases_live ON leases (credential, state, expires_at);
  DROP INDEX leases_version;
`;

/**
 * The migration that adds a kind of tasks: what a person decides. SQLite changes no constraint of a table, so it is made anew.
 * Never edited: a change is a new migration.
 */
const DECISIONS = `
  CREATE TABLE tasks_new (
    id TEXT NOT NULL PRIMARY KEY,
    rotation TEXT NOT NULL REFERENCES rotations (id),
    credential TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('import', 'certificate', 'revoke', 'look', 'decide')),
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
  INSERT INTO tasks_new SELECT * FROM tasks;
  DROP TABLE tasks;
  ALTER TABLE tasks_new RENAME TO tasks;
  CREATE INDEX tasks_rotation ON tasks (rotation);
  CREATE INDEX tasks_state ON tasks (state, due_at);
  `;

/**
 * The migration that finds what is not settled at a start, of each store. Without statistics the planner would look at all that
 * a store holds: of a hundred thousand versions ten seconds, which no read may take. Never edited.
 */
const UNSETTLED = `
  CREATE INDEX versions_unsettled ON versions (store, state);
  CREATE INDEX companions_unsettled ON companions (store, state);
`;

/** In their order; a further one goes to the end. */
export const NEWEST: readonly string[] = [DECISIONS, UNSETTLED];
