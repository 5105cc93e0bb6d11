import { KeyturnError } from '../../core/errors.ts';

/** What a database says went wrong, by the one meaning it has for us. `message` names tables and columns, no values. */
export type DatabaseFault =
  | { readonly kind: 'same-key' | 'missing-target' | 'other-constraint'; readonly message: string }
  /** The file, the disk, the memory or the connection: the transaction cannot go on. */
  | { readonly kind: 'broken'; readonly message: string };

/**
 * What to tell the one who sent a change that could not be made; null when the fault is not the change's own, so that
 * the whole transaction must stop. `fault` is null for an error that is not the database's.
 */
export function refusalOf(error: unknown, fault: DatabaseFault | null): KeyturnError | null {
  if (error instanceof KeyturnError) return error;
  if (fault === null) return new KeyturnError('internal', 'A change could not be read by the ledger.');
  switch (fault.kind) {
    case 'same-key':
      return new KeyturnError('conflict', `The ledger has a row with the same key: ${fault.message}.`);
    case 'missing-target':
      return new KeyturnError('conflict', `A row refers to one that the ledger does not have: ${fault.message}.`);
    case 'other-constraint':
      return new KeyturnError('internal', `A row is not as the ledger's schema wants it: ${fault.message}.`);
    case 'broken':
      return null;
  }
}
