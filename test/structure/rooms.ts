/**
 * Who may import whom, as data. A room that is not listed here fails the test: whoever adds one decides its place.
 * `types` are rooms of which only types may be seen, `dynamic` those that are imported by `import()` or for their types.
 */
export interface Room {
  readonly rooms: readonly string[];
  readonly types?: readonly string[];
  readonly dynamic?: readonly string[];
  /** Third-party packages; `node:` built-ins are always allowed. */
  readonly packages: readonly string[];
}

const BASE = ['core'];
const DOMAIN = [...BASE, 'x509', 'audit', 'access', 'sealed', 'partner'];
const PORTS = ['keystore', 'issuer', 'ledger', 'tls'];
const USE_CASES = [...DOMAIN, ...PORTS, 'credential'];

export const ROOMS: Readonly<Record<string, Room>> = {
  core: { rooms: [], packages: [] },
  x509: { rooms: BASE, packages: ['@peculiar/x509', 'node-forge', 'reflect-metadata', 'yauzl'] },
  // The client package carries audit/ and sealed/, so they stand on core/ alone.
  audit: { rooms: BASE, packages: [] },
  sealed: { rooms: BASE, packages: [] },
  access: { rooms: [...BASE, 'x509'], packages: ['yaml', 'zod'] },
  partner: { rooms: [...BASE, 'x509'], packages: ['yaml', 'zod'] },
  keystore: {
    rooms: DOMAIN,
    packages: ['node-vault', '@aws-sdk/client-secrets-manager', '@aws-sdk/client-kms', 'cockatiel'],
  },
  // The built-in authority keeps its key in a key store and its register in the ledger; Vault and AWS are reached by
  // the connections that the stores have.
  issuer: { rooms: [...DOMAIN, 'keystore', 'ledger'], packages: ['@aws-sdk/client-acm-pca'] },
  ledger: { rooms: DOMAIN, packages: ['kysely', 'pg'] },
  tls: { rooms: DOMAIN, packages: ['@peculiar/x509', 'reflect-metadata'] },
  credential: { rooms: [...DOMAIN, ...PORTS], packages: [] },
  // Ways to people: what they are told is put together by whoever has something to tell.
  notify: { rooms: BASE, packages: ['cockatiel', 'nodemailer'] },
  rotation: { rooms: [...USE_CASES, 'notify'], packages: [] },
  // The format of a backup, and the recipient's keys; what goes into it and out of it is put together in compose/.
  backup: { rooms: [...BASE, 'audit', 'sealed', 'keystore'], packages: [] },
  server: {
    rooms: [...USE_CASES, 'rotation'],
    // The wire format is the client's; the compiler checks the server's schemas against it.
    types: ['client'],
    packages: ['@fastify/busboy', 'express', 'pino', 'prom-client', 'zod', 'zod-openapi'],
  },
  client: { rooms: [...BASE, 'audit', 'sealed'], packages: [] },
  cli: {
    // Commands are loaded one by one when they run, so what they import does not slow the help.
    rooms: [...BASE, 'audit', 'sealed', 'x509', 'backup', 'client', 'compose'],
    // Shapes of what the API answers.
    types: ['access'],
    packages: ['@clack/prompts', 'commander', 'yaml', 'zod'],
  },
  compose: {
    rooms: [...USE_CASES, 'notify', 'rotation', 'backup', 'server', 'client'],
    packages: ['pino', 'yaml', 'zod'],
  },
};

export const LIMITS = { linesOfCode: 250, filesPerFolder: 10 } as const;
