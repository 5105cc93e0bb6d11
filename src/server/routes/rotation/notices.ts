import { z } from 'zod';
import type { Caller } from '../../../credential/caller.ts';
import type { TestResult, TestWish } from '../../../rotation/reminder/test-notice.ts';
import { ok, type Route, route } from '../../http/route.ts';

export type SendTest = (
  caller: Caller,
  wish: TestWish,
) => Promise<{ readonly notice: string; readonly results: readonly TestResult[] }>;

const testRequest = z
  .strictObject({
    /** One of the ways that `notify` names; absent for all. */
    by: z.string().min(1).max(64).optional(),
    /** Whose tasks' recipients get it; absent for those under `default`. */
    owner: z.string().min(1).max(120).optional(),
  })
  .meta({ id: 'NotifyTestRequest' });

const testAnswer = z
  .object({
    notice: z.string(),
    results: z.array(z.object({ by: z.string(), sent: z.boolean(), cause: z.string().nullable() })),
  })
  .meta({ id: 'NotifyTestAnswer' });

/** Whether people would hear of their tasks. */
export function noticeRoute(send: SendTest): Route {
  return route({
    id: 'testNotify',
    method: 'post',
    path: '/v1/notify/test',
    summary: 'Send one test notice through each way to people, and say what became of it',
    json: testRequest,
    success: { status: 200, description: 'What became of each', schema: testAnswer },
    problems: ['permission_denied', 'not_found', 'ledger_unavailable'],
    handle: async ({ body: { by, owner } }, caller) => {
      const wish = { ...(by === undefined ? {} : { by }), ...(owner === undefined ? {} : { owner }) };
      return ok(await send(caller, wish));
    },
  });
}
