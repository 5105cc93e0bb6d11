import type { Context } from '../../context.ts';
import { EXIT } from '../../terminal/exit.ts';
import { pathOf, type Rotation, rotationLines, type Straggler, stragglerLines, type Task, taskLines } from './view.ts';

/** Exit code 10 when a person has to do something. */
export default async function show({ terminal, api }: Context, _options: object, credential: string): Promise<number> {
  const shown = (await (await api()).call({ method: 'GET', path: pathOf(credential) })) as Rotation & {
    readonly tasks: readonly Task[];
    readonly stragglers: readonly Straggler[];
  };
  const open = shown.tasks.filter(({ state }) => state === 'open');
  terminal.result(shown, [
    ...rotationLines(shown),
    ...stragglerLines(shown.stragglers),
    ...open.flatMap((task) => ['', ...taskLines(task)]),
  ]);
  return open.length > 0 || shown.state === 'halted' ? EXIT.attention : 0;
}
