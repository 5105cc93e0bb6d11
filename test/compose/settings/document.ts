import { stringify } from 'yaml';
import { parseConfig } from '../../../src/compose/config.ts';
import { KeyturnError } from '../../../src/core/errors.ts';

/** A configuration with what every one must have, and these members. */
export function configWith(members: object) {
  const document = {
    listen: {},
    certificate: { ca: 'listener/ca.crt' },
    log: { origin: 'keyturn.example/log' },
    ledger: { path: 'ledger/ledger.db' },
    journal: { path: 'journal/freeze.journal' },
    checkpoint: { path: 'checkpoint' },
    keystore: { path: 'keys/keys.ktn', 'master-key': { file: 'master.key' } },
    policies: { access: 'access', partners: 'partners' },
    socket: { path: 'run/keyturn.sock' },
    ...members,
  };
  return parseConfig('/home/kt', stringify(document), '/home/kt/keyturn.yaml');
}

/** What is said of members that no configuration may have. @throws Error when they are accepted. */
export function refusalOf(members: object): string {
  try {
    configWith(members);
  } catch (error) {
    if (error instanceof KeyturnError && error.code === 'config_invalid') return error.message;
    throw error;
  }
  throw new Error('It was accepted.');
}
