import type { Desk } from '../../../credential/desk.ts';
import { listStores } from '../../../credential/store/list-stores.ts';
import { moveRecord } from '../../../credential/store/move.ts';
import { planMoves } from '../../../credential/store/plan.ts';
import { ok, type Route, route } from '../../http/route.ts';
import { moveRequest, planRequest, storeParam } from '../../schemas.ts';

/** Key stores, and records on their way between them. Each record is a request of its own, so that any can be the last. */
export function storeRoutes(desk: Desk): Route[] {
  return [
    route({
      id: 'listStores',
      method: 'get',
      path: '/v1/stores',
      summary: 'Key stores, and how many records of which state lie in each',
      success: { status: 200, description: 'In the order of the configuration' },
      problems: ['unauthenticated', 'permission_denied', 'ledger_unavailable'],
      handle: async (_input, caller) => ok({ items: await listStores(desk, caller) }),
    }),
    route({
      id: 'planMoves',
      method: 'post',
      path: '/v1/stores/{store}/plan',
      summary: 'What a move of all records, or of some credentials, to another store would do',
      params: storeParam,
      json: planRequest,
      success: { status: 200, description: 'Both stores, what would move, what would not and why' },
      problems: ['permission_denied', 'invalid_input'],
      handle: async ({ params, body: { to, credentials } }, caller) =>
        ok(
          await planMoves(desk, caller, {
            from: params.store,
            to,
            ...(credentials === undefined ? {} : { credentials }),
          }),
        ),
    }),
    route({
      id: 'moveRecord',
      method: 'post',
      path: '/v1/stores/{store}/moves',
      summary: 'Move one record to another store; the old copy stays',
      params: storeParam,
      json: moveRequest,
      success: { status: 200, description: 'The move, which names the old copy' },
      problems: ['permission_denied', 'not_found', 'version_state', 'held', 'conflict', 'keystore_unavailable'],
      handle: async ({ params, body }, caller) => ok(await moveRecord(desk, caller, { from: params.store, ...body })),
    }),
  ];
}
