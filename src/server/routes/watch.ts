import { z } from 'zod';
import { credentialName } from '../../access/credential-name.ts';
import { authorise } from '../../credential/authorise.ts';
import type { Desk } from '../../credential/desk.ts';
import type { WatchEvent } from '../../credential/watch/event.ts';
import type { Watcher } from '../../credential/watch/watcher.ts';
import type { Watchers } from '../../credential/watch/watchers.ts';
import { type Route, route } from '../http/route.ts';

/** Credentials that one watch may name; more are had by naming none. */
const MOST_NAMED = 64;

/** How long a client waits before it comes again, unless it knows better, milliseconds. */
const RETRY_MS = 2_000;

const names = z.union([z.string(), z.array(z.string()).max(MOST_NAMED)]);
const index = z.string().regex(/^(?:0|[1-9][0-9]{0,15})$/);

/** Server-sent events: what makes a client's renewal worth coming sooner. */
export function watchRoutes(desk: Desk, watchers: Watchers): Route[] {
  return [
    route({
      id: 'watch',
      method: 'get',
      path: '/v1/watch',
      summary: 'Promotions, freezes, thaws and other changes of the credentials that you may lease, as they come',
      query: z.object({ credential: names.optional() }),
      headers: z.object({ 'last-event-id': index.optional() }),
      success: { status: 200, description: 'text/event-stream; the id of an event is its entry on the log' },
      problems: ['permission_denied', 'held', 'invalid_input', 'rate_limited'],
      handle: async ({ query, headers }, caller) => {
        const named = query.credential === undefined ? null : [query.credential].flat().map(credentialName);
        for (const credential of named ?? []) await authorise(desk, caller, 'credential:lease', credential);
        const last = headers['last-event-id'];
        const after = last === undefined ? null : Number(last);
        const watcher = watchers.watch(caller, { credentials: named === null ? null : new Set(named), after });
        return {
          status: 200,
          type: 'text/event-stream',
          text: eventStream(watcher),
          onClose: () => watcher.end(),
        };
      },
    }),
  ];
}

/** HTML Living Standard, section 9.2.6: fields and comments, one a line; an empty line ends an event. */
async function* eventStream(watcher: Watcher): AsyncGenerator<string> {
  yield `retry: ${RETRY_MS}\nid: ${Math.max(0, watcher.known)}\nevent: watching\ndata: {}\n\n`;
  for await (const event of watcher) yield event === null ? ': quiet\n\n' : textOf(event);
}

function textOf({ index: id, what, credential, version }: WatchEvent): string {
  const data = JSON.stringify({ credential, version });
  return `${id === null ? '' : `id: ${id}\n`}event: ${what}\ndata: ${data}\n\n`;
}
