import { timestamp } from '../../../core/clock.ts';
import type { Desk } from '../../../credential/desk.ts';
import { destroyLeftover, listLeftovers } from '../../../credential/store/leftover.ts';
import { ok, type Route, route } from '../../http/route.ts';
import { copyQuery, idParam } from '../../schemas.ts';

/** Old copies that moves between stores have left over. */
export function copyRoutes(desk: Desk): Route[] {
  return [
    route({
      id: 'listCopies',
      method: 'get',
      path: '/v1/copies',
      summary: 'Old copies that moves have left over',
      query: copyQuery,
      success: { status: 200, description: 'Oldest first' },
      problems: ['permission_denied', 'ledger_unavailable'],
      handle: async ({ query }, caller) =>
        ok({
          items: (await listLeftovers(desk, caller, query.store)).map((move) => ({
            id: move.id,
            record: move.record,
            credential: move.credential,
            store: move.source,
            movedTo: move.target,
            state: move.state,
            movedAt: timestamp(move.changed_at),
          })),
        }),
    }),
    route({
      id: 'destroyCopy',
      method: 'delete',
      path: '/v1/copies/{id}',
      summary: 'Destroy an old copy, after the record that counts was read and compared',
      params: idParam,
      success: { status: 200, description: 'What was destroyed, and where' },
      problems: ['permission_denied', 'not_found', 'conflict', 'held', 'keystore_corrupt', 'keystore_unavailable'],
      handle: async ({ params }, caller) => ok(await destroyLeftover(desk, caller, params.id)),
    }),
  ];
}
