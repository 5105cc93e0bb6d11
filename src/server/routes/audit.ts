import { z } from 'zod';
import { type ExportedEntry, exportLines, type SignedSize } from '../../audit/export.ts';
import { authorise, denial } from '../../credential/authorise.ts';
import type { Desk } from '../../credential/desk.ts';
import { refused } from '../../credential/refusal.ts';
import type { EntryQuery, Ledger } from '../../ledger/ledger.ts';
import { ok, type Route, route } from '../http/route.ts';
import { auditQuery } from '../schemas.ts';

/** Entries fetched at a time while exporting. */
const PAGE = 1_000;
/** Entries of one answer when nothing else is asked for. */
const DEFAULT_PAGE = 100;

/** The audit log: query, export, newest checkpoint, proofs. */
export function auditRoutes(desk: Desk, origin: string): Route[] {
  return [
    route({
      id: 'queryAudit',
      method: 'get',
      path: '/v1/audit/entries',
      summary: 'Entries by index (from `from`, below `to`), time, kind, actor or credential',
      query: auditQuery,
      success: {
        status: 200,
        description:
          'As recorded; `next` is null on the last page, or what `from` (newest first: `to`) is for the next',
      },
      problems: ['permission_denied', 'invalid_input', 'ledger_unavailable'],
      handle: async ({ query }, caller) => {
        await authorise(desk, caller, 'audit:read', null);
        const { limit = DEFAULT_PAGE } = query;
        // One more than is given, which tells whether there is more.
        const rows = await desk.ledger.entries({ ...entryQuery(query), limit: limit + 1 });
        const items = rows.slice(0, limit);
        const next = rows.length > limit ? nextPage(items.at(-1)?.index ?? 0, query.newest === 'true') : null;
        return ok({
          items: items.map(({ json }) => JSON.parse(json) as unknown),
          next,
          size: desk.ledger.status().size,
        });
      },
    }),
    route({
      id: 'exportAudit',
      method: 'get',
      path: '/v1/audit/export',
      summary: 'The whole log as text, to be verified offline',
      success: { status: 200, description: 'See docs/formats/audit-export.md' },
      problems: ['permission_denied', 'ledger_unavailable'],
      handle: async (_input, caller) => {
        const { checks } = await authorise(desk, caller, 'audit:read', null);
        const outcome = await desk.ledger.commit({
          checks,
          entry: { kind: 'audit.exported', actor: caller.principal.id, request: caller.request, data: {} },
          refusal: denial(caller, 'audit:read', null, 'at-commit'),
        });
        if (!outcome.committed) throw refused(outcome.rule);
        return { status: 200, type: 'text/plain; charset=utf-8', text: exportText(desk.ledger, origin) };
      },
    }),
    route({
      id: 'showCheckpoint',
      method: 'get',
      path: '/v1/audit/checkpoint',
      summary: 'The newest signed checkpoint',
      success: { status: 200, description: 'A signed note (C2SP tlog-checkpoint)' },
      problems: ['unauthenticated', 'ledger_unavailable'],
      handle: async () => ({
        status: 200,
        type: 'text/plain; charset=utf-8',
        text: (await desk.ledger.head()).checkpoint,
      }),
    }),
    route({
      id: 'proveEntry',
      method: 'get',
      path: '/v1/audit/entries/{index}/receipt',
      summary: 'Proof that an entry is on the log',
      params: z.object({ index: z.coerce.number().int().min(0) }),
      success: { status: 200, description: 'A receipt' },
      problems: ['permission_denied', 'not_found', 'ledger_unavailable'],
      handle: async ({ params }, caller) => {
        await authorise(desk, caller, 'audit:read', null);
        return ok(await desk.ledger.receipt(params.index, 0));
      },
    }),
  ];
}

/** `to` is exclusive, `from` is not. */
function nextPage(last: number, newestFirst: boolean): number {
  return newestFirst ? last : last + 1;
}

function entryQuery(query: z.infer<typeof auditQuery>): EntryQuery {
  const { since, until, newest, ...rest } = query;
  const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
  return {
    ...given,
    ...(since === undefined ? {} : { since: Date.parse(since) }),
    ...(until === undefined ? {} : { until: Date.parse(until) }),
    descending: newest === 'true',
  };
}

/** The log up to its size at the start, page by page, so that memory stays flat. */
export async function* exportText(ledger: Ledger, origin: string): AsyncIterable<string> {
  const { size } = await ledger.head();
  const lines = exportLines({ origin, size, entries: allEntries(ledger, size), checkpoints: allCheckpoints(ledger) });
  for await (const line of lines) yield `${line}\n`;
}

async function* allEntries(ledger: Ledger, size: number): AsyncIterable<ExportedEntry> {
  for (let from = 0; from < size; from += PAGE) {
    yield* await ledger.entries({ from, to: Math.min(size, from + PAGE), limit: PAGE });
  }
}

async function* allCheckpoints(ledger: Ledger): AsyncIterable<SignedSize> {
  // An empty log has its checkpoint of size 0: hence from -1.
  for (let after = -1; ; ) {
    const page = await ledger.checkpoints(after, PAGE);
    yield* page;
    const last = page.at(-1);
    if (last === undefined) return;
    after = last.size;
  }
}
