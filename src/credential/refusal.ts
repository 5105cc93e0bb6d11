import { type ErrorCode, KeyturnError } from '../core/errors.ts';

const LIFTING = 'See who froze it and why: keyturn hold list. Two persons can lift it: keyturn thaw.';

/** What a rule that failed at the commit means to the caller. */
const MEANINGS: Readonly<Record<string, { code: ErrorCode; message: string; fix: string }>> = {
  'token-revoked': {
    code: 'unauthenticated',
    message: 'The API token has been revoked.',
    fix: 'Ask for a new token: keyturn token create.',
  },
  'token-expired': {
    code: 'unauthenticated',
    message: 'The API token has expired.',
    fix: 'Ask for a new token: keyturn token create.',
  },
  'binding-expired': {
    code: 'permission_denied',
    message: 'The grant that allowed this has expired.',
    fix: 'Ask whoever keeps the access policy to renew the binding.',
  },
  'policy-changed': {
    code: 'conflict',
    message: 'The access policy changed while the request was decided.',
    fix: 'Try again: the new policy will decide.',
  },
  'hold-on-version': { code: 'held', message: 'This version is frozen.', fix: LIFTING },
  'hold-on-credential': { code: 'held', message: 'This credential is frozen.', fix: LIFTING },
  'hold-on-principal': { code: 'held', message: 'This principal is frozen.', fix: LIFTING },
  'hold-on-host': { code: 'held', message: 'This host is frozen.', fix: LIFTING },
  'hold-on-store': { code: 'held', message: 'The key store is frozen.', fix: LIFTING },
  'version-current': {
    code: 'conflict',
    message: 'Another version became current, or its key moved to another store, while the request was decided.',
    fix: 'Try again.',
  },
  'version-shared': {
    code: 'conflict',
    message: 'The version is staged no more, or its key moved to another store, while the request was decided.',
    fix: 'Try again.',
  },
  'rotation-sharing': {
    code: 'conflict',
    message: 'The rotation lends its staged version no more.',
    fix: 'Try again.',
  },
  'version-state': {
    code: 'version_state',
    message: 'The version is not in a state that allows this.',
    fix: 'See its state: keyturn credential show.',
  },
  'fenced-off': {
    code: 'conflict',
    message: 'This server lost its connection to the ledger in the middle of this, and another one took the turn.',
    fix: 'What was begun is settled within seconds. See what became of it, then try again.',
  },
  'rotation-moved-on': {
    code: 'conflict',
    message: 'The rotation moved on while the request was decided.',
    fix: 'See where it is: keyturn rotation show; then decide anew.',
  },
  'key-unseen': {
    code: 'key_seen_before',
    message: 'This key became known while the request was decided.',
    fix: 'See what there is: keyturn credential show.',
  },
  'record-moved': {
    code: 'conflict',
    message: 'The record moved to another store, or left its state, while the request was decided.',
    fix: 'Try again.',
  },
  'leases-live': {
    code: 'conflict',
    message: 'A lease on this version was granted while the request was decided.',
    fix: 'Try again when it has ended, or give --force.',
  },
  'lease-live': { code: 'lease_ended', message: 'The lease has ended.', fix: 'Ask for a new lease.' },
  'lease-expired': { code: 'lease_ended', message: 'The lease has expired.', fix: 'Ask for a new lease.' },
};

/** The error for a change that the ledger refused under `rule`. */
export function refused(rule: string): KeyturnError {
  const meaning = MEANINGS[rule];
  if (meaning === undefined) {
    return new KeyturnError('conflict', `The state changed while the request was decided (${rule}).`, {
      fix: 'Try again.',
      facts: { rule },
    });
  }
  return new KeyturnError(meaning.code, meaning.message, { fix: meaning.fix, facts: { rule } });
}
