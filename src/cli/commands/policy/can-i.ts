import type { Explanation } from '../../../access/explanation.ts';
import type { Context } from '../../context.ts';
import { EXIT } from '../../terminal/exit.ts';
import { table } from '../../terminal/terminal.ts';

interface Options {
  readonly as?: string;
  readonly explain?: boolean;
}

/** Exit code 0: allowed; 3: denied. */
export default async function canI(
  { terminal, api }: Context,
  options: Options,
  permission: string,
  credential?: string,
): Promise<number> {
  const json = {
    permission,
    ...(credential === undefined ? {} : { credential }),
    ...(options.as === undefined ? {} : { principal: options.as }),
  };
  const verdict = (await (await api()).call({ method: 'POST', path: '/v1/can-i', json })) as Explanation;
  const { decision } = verdict;
  terminal.result(verdict, [
    `${decision.allow ? 'yes' : 'no'}: ${decision.reason}`,
    ...(options.explain === true ? explain(verdict) : []),
  ]);
  return decision.allow ? 0 : EXIT.denied;
}

function explain({ bindings, holders }: Explanation): string[] {
  const rows = bindings.map(({ binding, role, grants, because, expires }) => [
    binding,
    role,
    expires ?? '-',
    grants ? 'grants' : because.join(' '),
  ]);
  const who = holders.map(({ principal, binding }) => `  ${principal} (${binding})`);
  return [
    '',
    ...table(['binding', 'role', 'expires', 'verdict'], rows, 'No binding names this principal.'),
    ...(who.length === 0 ? [] : ['', 'Who holds it:', ...who]),
  ];
}
