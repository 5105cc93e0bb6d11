import { KeyturnError } from '../../../core/errors.ts';
import type { Context } from '../../context.ts';
import type { Task } from '../rotation/view.ts';

export default async function done(
  { terminal, api }: Context,
  { note }: { readonly note?: string },
  id: string,
): Promise<void> {
  if (note === undefined || note.trim() === '') {
    throw new KeyturnError('invalid_input', 'What was done is recorded, and there is no note of it.', {
      fix: 'Give --note "revoked by the partner, ticket 1234".',
    });
  }
  const path = `/v1/tasks/${encodeURIComponent(id)}/done`;
  const task = (await (await api()).call({ method: 'POST', path, json: { note } })) as Task;
  terminal.result(task, [`Done: ${task.title}.`]);
}
