import { join } from 'node:path';
import { exists } from '../../../compose/exists.ts';
import { broken, type Check } from '../../../core/check.ts';
import type { Context } from '../../context.ts';
import { checkInstance } from '../../doctor/instance.ts';
import { checkServer } from '../../doctor/server.ts';
import { EXIT } from '../../terminal/exit.ts';

const MARK = { ok: '✔', attention: '!', broken: '✖' } as const;

/** Exit code 0: all is well; 10: something needs attention; 1: something is broken. */
export default async function doctor(context: Context, options: { readonly writeTest?: boolean }): Promise<number> {
  const { home, where } = context;
  const local = await exists(join(home, 'keyturn.yaml'));
  const elsewhere = (where.connection ?? process.env['KEYTURN_CONNECTION']) !== undefined;
  const checks = [
    ...(local
      ? await checkInstance(home, { writeTest: options.writeTest ?? false })
      : elsewhere
        ? []
        : [noInstance(home)]),
    ...(await checkServer(context)),
  ];
  context.terminal.result(
    { checks },
    checks.flatMap(({ name, verdict, evidence, fix }) => [
      `${MARK[verdict]} ${name}: ${evidence}`,
      ...(fix === '' ? [] : [`    fix: ${fix}`]),
    ]),
  );
  if (checks.some(({ verdict }) => verdict === 'broken')) return EXIT.failure;
  return checks.some(({ verdict }) => verdict === 'attention') ? EXIT.attention : 0;
}

function noInstance(home: string): Check {
  return broken(
    'instance',
    `${home} holds no keyturn.yaml`,
    'Name the instance’s folder with --home, or make one: keyturn init. For a server elsewhere give --connection.',
  );
}
