import type { Context } from '../../context.ts';
import { EXIT } from '../../terminal/exit.ts';

export default async function thaw({ terminal, api }: Context, _options: object, hold: string): Promise<number> {
  const path = `/v1/holds/${encodeURIComponent(hold)}/thaw`;
  const answer = (await (await api()).call({ method: 'POST', path })) as { state: 'asked' | 'lifted'; askedBy: string };
  if (answer.state === 'lifted') {
    terminal.result(answer, [`Lifted ${hold} (asked for by ${answer.askedBy}).`]);
    return 0;
  }
  terminal.result(answer, [`Asked to lift ${hold}. It stays in force until a second person runs the same command.`]);
  return EXIT.attention;
}
