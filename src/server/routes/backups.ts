import type { Caller } from '../../credential/caller.ts';
import { type Route, route } from '../http/route.ts';
import { backupRequest } from '../schemas.ts';

/** What was taken, public facts alone, and the encrypted octets; their end frees what they are read from. */
export interface TakenBackup {
  readonly facts: object;
  readonly octets: AsyncIterable<Buffer>;
}

export type TakeBackup = (caller: Caller, recipient: string) => Promise<TakenBackup>;

/** A backup leaves encrypted to a recipient that the configuration names; nobody else's key will do. */
export function backupRoute(take: TakeBackup): Route {
  return route({
    id: 'takeBackup',
    method: 'post',
    path: '/v1/backups',
    summary: 'Ledger and key store as one consistent pair, encrypted to a pinned recipient',
    json: backupRequest,
    success: { status: 201, description: 'See docs/formats/backup.md; the header keyturn-backup has the facts' },
    problems: ['permission_denied', 'conflict', 'ledger_unavailable', 'keystore_unavailable'],
    handle: async ({ body }, caller) => {
      const { facts, octets } = await take(caller, body.recipient);
      return { status: 201, type: 'application/octet-stream', octets, facts: ['keyturn-backup', facts] };
    },
  });
}
