import { KeyturnError } from '../../../core/errors.ts';
import type { Api } from '../../api/api.ts';
import type { Context } from '../../context.ts';
import { EXIT } from '../../terminal/exit.ts';
import { destroyCopy, destroyLeftovers } from './destroy-left.ts';
import { type Plan, planLines, refuseUnready } from './plan.ts';

interface Options {
  readonly from?: string;
  readonly to?: string;
  readonly credential?: string[];
  readonly dryRun?: boolean;
  readonly destroyOld?: boolean;
  readonly destroyLeft?: boolean;
}

interface Moved {
  readonly record: string;
  readonly move: string;
  readonly entry: number;
  readonly old: 'left' | 'destroyed';
  /** Of a copy that was destroyed: who can bring it back for how long; null for nobody. */
  readonly lingers?: string | null;
}

/** What a record's failure says; the others go on. */
interface Failed {
  readonly record: string;
  readonly code: string;
  readonly message: string;
}

/** With these no other record would fare better. */
const FINAL = new Set([
  'keystore_unavailable',
  'ledger_unavailable',
  'server_unreachable',
  'permission_denied',
  'unauthenticated',
  'held',
]);

/** Exit code 10 when records stay behind. Interrupted anywhere, the same command goes on. */
export default async function storeMigrate({ terminal, api }: Context, options: Options): Promise<number> {
  if (options.destroyLeft === true) return destroyLeftovers(terminal, await api(), asDestroyOrder(options));
  const { from, to } = options;
  if (from === undefined || to === undefined) {
    throw new KeyturnError('invalid_input', 'A migration goes from one store to another.', {
      fix: 'Give --from STORE and --to STORE; see them: keyturn store list',
    });
  }
  const open = await api();
  const json = { to, ...(options.credential === undefined ? {} : { credentials: options.credential }) };
  const plan = (await open.call({ method: 'POST', path: `${pathOf(from)}/plan`, json })) as Plan;
  if (options.dryRun === true) {
    terminal.result({ dryRun: true, ...plan }, [...planLines(plan), '', 'Nothing was done.']);
    return 0;
  }
  refuseUnready(plan);
  const { moved, failed } = await moveAll(open, plan, options.destroyOld === true, terminal);
  terminal.result({ from, to, moved, skipped: plan.skipped, failed }, [
    `Moved ${moved.length} of ${plan.moves.length} records from ${from} to ${to}.`,
    ...plan.skipped.map(({ record, why }) => `skipped  ${record}: ${why}`),
    ...failed.map(({ record, code, message }) => `failed   ${record}: ${message} [${code}]`),
  ]);
  const lingers = moved.find((each) => (each.lingers ?? null) !== null)?.lingers;
  if (lingers) terminal.warn(`${from}: ${lingers}.`);
  if (moved.some(({ old }) => old === 'left')) {
    terminal.note(`The old copies are still in ${from}: keyturn store migrate --from ${from} --destroy-left`);
  }
  return failed.length + plan.skipped.length > 0 ? EXIT.attention : 0;
}

function pathOf(store: string): string {
  return `/v1/stores/${encodeURIComponent(store)}`;
}

function asDestroyOrder({ from, to, credential, destroyOld, dryRun }: Options) {
  if (to === undefined && credential === undefined && destroyOld === undefined) {
    return { store: from ?? null, dryRun: dryRun === true };
  }
  throw new KeyturnError(
    'invalid_input',
    '--destroy-left destroys what earlier moves have left over, and moves nothing.',
    {
      fix: 'Give it alone, or with --from STORE and --dry-run.',
    },
  );
}

/** One record after the other, each a request of its own. @throws KeyturnError what stopped it, if nothing moved. */
async function moveAll(open: Api, plan: Plan, destroyOld: boolean, terminal: Context['terminal']) {
  const moved: Moved[] = [];
  const failed: Failed[] = [];
  for (const { record } of plan.moves) {
    try {
      moved.push(await moveOne(open, plan, record, destroyOld));
      terminal.note(`moved ${record} (${moved.length} of ${plan.moves.length})`);
    } catch (error) {
      if (!(error instanceof KeyturnError)) throw error;
      if (FINAL.has(error.code) && moved.length === 0) throw error;
      failed.push({ record, code: error.code, message: error.message });
      if (FINAL.has(error.code)) break;
    }
  }
  return { moved, failed };
}

async function moveOne(open: Api, { from, to }: Plan, record: string, destroyOld: boolean): Promise<Moved> {
  const json = { to: to.name, record };
  const call = { method: 'POST', path: `${pathOf(from.name)}/moves`, json } as const;
  const { move, entry } = (await open.call(call)) as { move: string; entry: number };
  if (!destroyOld) return { record, move, entry, old: 'left' };
  return { record, move, entry, old: 'destroyed', ...(await destroyCopy(open, move)) };
}
