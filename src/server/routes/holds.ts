import { timestamp } from '../../core/clock.ts';
import type { Desk } from '../../credential/desk.ts';
import { freeze } from '../../credential/hold/freeze.ts';
import type { HoldJournal } from '../../credential/hold/hold-journal.ts';
import { thaw } from '../../credential/hold/thaw.ts';
import { listHolds } from '../../credential/inventory.ts';
import { ok, type Route, route } from '../http/route.ts';
import { freezeOf, freezeRequest, idParam, PAGED, pageAsked, pageQuery } from '../schemas.ts';

/** Freeze, thaw and list. */
export function holdRoutes(desk: Desk, journal: HoldJournal): Route[] {
  return [
    route({
      id: 'freeze',
      method: 'post',
      path: '/v1/holds',
      summary: 'Freeze a version, credential, principal, host or store; one person is enough, the ledger may be down',
      json: freezeRequest,
      success: { status: 201, description: 'The hold, and where it rests' },
      problems: ['unauthenticated', 'permission_denied', 'invalid_input', 'conflict', 'journal_unavailable'],
      handle: async ({ body }, caller) => {
        return ok(await freeze(desk, journal, caller, freezeOf(body)), 201);
      },
    }),
    route({
      id: 'listHolds',
      method: 'get',
      path: '/v1/holds',
      summary: 'Holds in force that you may see',
      query: pageQuery,
      success: { status: 200, description: PAGED },
      problems: ['unauthenticated', 'invalid_input', 'ledger_unavailable'],
      handle: async ({ query }, caller) => {
        const { items, next } = await listHolds(desk, caller, pageAsked(query));
        return ok({
          next,
          items: items.map((hold) => ({
            id: hold.id,
            target: hold.target,
            subject: hold.subject,
            reason: hold.reason,
            placedBy: hold.placed_by,
            placedAt: timestamp(hold.placed_at),
            thawAskedBy: hold.thaw_asked_by,
          })),
        });
      },
    }),
    route({
      id: 'thaw',
      method: 'post',
      path: '/v1/holds/{id}/thaw',
      summary: 'Ask to lift a hold, or, as a second person, lift it',
      params: idParam,
      success: { status: 200, description: 'Asked or lifted' },
      problems: ['permission_denied', 'second_person_required', 'not_found', 'conflict', 'ledger_unavailable'],
      handle: async ({ params }, caller) => ok(await thaw(desk, journal, caller, params.id)),
    }),
  ];
}
