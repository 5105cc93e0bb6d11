/** The database of a ledger, named alike by every command that begins or moves one. */
export const postgresOptions = [
  ['--postgres-port <port>', 'its port (default 5432)'],
  ['--postgres-database <name>', 'a database that is there'],
  ['--postgres-user <name>', 'a role that may make a schema in it'],
  ['--postgres-schema <name>', 'the schema that is made (default keyturn)'],
  ['--postgres-password-file <file>', 'the password alone, mode 0600 (default: PGPASSFILE)'],
  ['--postgres-ca <file>', 'roots of the server’s certificate; else those that are shipped with Node'],
] as const;
