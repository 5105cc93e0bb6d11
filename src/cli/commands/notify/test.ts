import type { Context } from '../../context.ts';
import { EXIT } from '../../terminal/exit.ts';
import { table } from '../../terminal/terminal.ts';

interface Options {
  readonly owner?: string;
}

interface Told {
  readonly notice: string;
  readonly results: readonly { readonly by: string; readonly sent: boolean; readonly cause: string | null }[];
}

/** Exit code 10 when one of the ways did not take it, or not for everybody. */
export default async function notifyTest(
  { terminal, api }: Context,
  { owner }: Options,
  name?: string,
): Promise<number> {
  const json = { ...(name === undefined ? {} : { by: name }), ...(owner === undefined ? {} : { owner }) };
  const told = (await (await api()).call({ method: 'POST', path: '/v1/notify/test', json })) as Told;
  const rows = told.results.map(({ by, sent, cause }) => [by, sent ? 'sent' : 'not sent', cause ?? '-']);
  terminal.result(told, [
    `Test notice ${told.notice}:`,
    ...table(['by', 'what became of it', 'cause'], rows, 'Nothing.'),
  ]);
  return told.results.every(({ cause }) => cause === null) ? 0 : EXIT.attention;
}
