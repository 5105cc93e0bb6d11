/** Connections of one server, by what they are for. A fence has one of its own while somebody is inside. */
export const POOLS = { state: 4, log: 2, commits: 1, news: 1, fences: 2 } as const;

/** What the database must have room for, for each server. */
export const CONNECTIONS_OF_A_SERVER = Object.values(POOLS).reduce((sum, each) => sum + each, 0);
