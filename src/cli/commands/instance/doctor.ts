import { join } from 'node:path';
import { exists } from '../../../compose/exists.ts';
import type { Context } from '../../context.ts';
import { checkInstance } from '../../doctor/instance.ts';
import { checkRuntime } from '../../doctor/runtime.ts';
import { checkServer } from '../../doctor/server.ts';
import { EXIT } from '../../terminal/exit.ts';

const MARK = { ok: '✔', attention: '!', broken: '✖' } as const;

/** Exit code 0: all is well; 10: something needs attention; 1: something is broken. */
export default async function doctor(context: Context): Promise<number> {
  const local = await exists(join(context.home, 'keyturn.yaml'));
  const checks = [
    ...checkRuntime(),
    ...(local ? await checkInstance(context.home) : []),
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
