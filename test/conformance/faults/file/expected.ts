import type { Row } from '../table.ts';

const HEALTHY = {
  write: 'done → 1+2',
  read: 'done → 1',
  list: 'done: 1 → 1',
  destroy: 'done → nothing',
  attest: 'done: generation 2 → 1',
  health: 'ready → 1',
} as const satisfies Row;

/** The store is not even opened. `held`: what lies there afterwards, as it did before. */
function notOpened(error: string, held = '1'): Row {
  return all(`not opened: ${error} → ${held}`);
}

function all(cell: string): Row {
  return { write: cell, read: cell, list: cell, destroy: cell, attest: cell, health: cell };
}

/** Memory goes on to answer; nothing is written over what somebody else put there. */
function refusesChanges(code: string, health: string, held = '1'): Row {
  return {
    write: `${code} → ${held}`,
    read: `done → ${held}`,
    list: `done: 1 → ${held}`,
    destroy: `${code} → ${held}`,
    attest: `done: generation 2 → ${held}`,
    health: `not ready: ${health} → ${held}`,
  };
}

/** A change failed before the file took its place. */
function certain(errno: string): Row {
  const failed = `keystore_unavailable (${errno}), certain → 1`;
  return { ...HEALTHY, write: failed, destroy: failed };
}

const DISTURBED = 'keys.ktn was changed, replaced or removed while it was open.';
const UNLOCKED = 'The lock file of keys.ktn was removed or replaced.';

export const EXPECTED: Readonly<Record<string, Row>> = {
  'no fault': HEALTHY,
  // By itself the store can't tell; its generation can, which the ledger knows (docs/formats/key-file.md).
  'older copy put in place': {
    write: 'done → 2',
    read: 'absent → nothing',
    list: 'done: 0 → nothing',
    destroy: 'done → nothing',
    attest: 'done: generation 1 → nothing',
    health: 'ready → nothing',
  },
  'older copy put in place while it is open': refusesChanges('keystore_rollback', DISTURBED, 'nothing'),
  'another file put in place': HEALTHY,
  'another file put in place while it is open': refusesChanges('keystore_rollback', DISTURBED),
  'file cut short': notOpened('keystore_corrupt', 'damage as planted'),
  'file cut short while it is open': refusesChanges('keystore_rollback', DISTURBED, 'damage as planted'),
  'one octet corrupted': notOpened('keystore_corrupt', 'damage as planted'),
  'one octet corrupted while it is open': refusesChanges('keystore_rollback', DISTURBED, 'damage as planted'),
  'file gone': notOpened('not_found', 'no file'),
  'file gone while it is open': refusesChanges('keystore_rollback', DISTURBED, 'no file'),
  'file open to others': notOpened('keystore_insecure'),
  // What is written is for the owner alone again.
  'file open to others while it is open': HEALTHY,
  'folder open to others': notOpened('keystore_insecure'),
  'folder open to others while it is open': HEALTHY,
  'folder gone': notOpened('not_found'),
  'folder gone while it is open': refusesChanges('keystore_in_use', UNLOCKED),
  'symbolic link instead of the file': notOpened('keystore_insecure'),
  'lock held by another process': notOpened('keystore_in_use'),
  'lock file replaced while it is open': refusesChanges('keystore_in_use', UNLOCKED),
  'another master key': notOpened('master_key_wrong'),
  'master key gone': notOpened('not_found'),
  'full disk': certain('ENOSPC'),
  'read-only disk': notOpened('keystore_unavailable'),
  // Writing makes the file longer, destroying makes it shorter.
  'limit of file size': { ...HEALTHY, write: 'keystore_unavailable (EFBIG), certain → 1' },
  'EIO at opening': certain('EIO'),
  'EACCES at opening': certain('EACCES'),
  'EROFS at opening': certain('EROFS'),
  'EIO at looking': {
    ...HEALTHY,
    write: 'keystore_unavailable, ambiguous → 1',
    destroy: 'keystore_unavailable, ambiguous → 1',
    health: "not ready: keys.ktn.lock can't be examined (EIO). → 1",
  },
  'EIO at writing': certain('EIO'),
  'ENOSPC at writing': certain('ENOSPC'),
  'EIO at syncing the file': certain('EIO'),
  'EIO at syncing the folder': {
    ...HEALTHY,
    write: 'keystore_unavailable (EIO), ambiguous → 1+2',
    destroy: 'keystore_unavailable (EIO), ambiguous → nothing',
  },
  'EIO at renaming': {
    ...HEALTHY,
    write: 'keystore_unavailable (EIO), ambiguous → 1',
    destroy: 'keystore_unavailable (EIO), ambiguous → 1',
  },
  // The one thread of the file calls hangs for every store of the process. Memory goes on to answer.
  'sync that hangs': {
    ...HEALTHY,
    write: 'keystore_unavailable, ambiguous → 1+2',
    destroy: 'keystore_unavailable, ambiguous → nothing',
    health: 'not ready: The key store faulty does not answer. → 1',
  },
};
