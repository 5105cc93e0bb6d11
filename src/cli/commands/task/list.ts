import type { Context } from '../../context.ts';
import { type Task, taskLines } from '../rotation/view.ts';

export default async function list({ terminal, api }: Context): Promise<void> {
  const { items } = (await (await api()).call({ method: 'GET', path: '/v1/tasks' })) as { items: Task[] };
  const lines = items.flatMap((task, at) => [...(at === 0 ? [] : ['']), ...taskLines(task)]);
  terminal.result({ items }, lines.length === 0 ? ['Nobody has anything to do.'] : lines);
}
