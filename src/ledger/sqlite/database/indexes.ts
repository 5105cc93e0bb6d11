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
