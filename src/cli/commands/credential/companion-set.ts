import type { Context } from '../../context.ts';
import { secretFrom } from '../../terminal/prompt.ts';

export default async function companionSet(
  { terminal, api }: Context,
  options: { readonly file?: string; readonly store?: string },
  credential: string,
  name: string,
): Promise<void> {
  using secret = await secretFrom(options.file, `Secret ${name} of ${credential}`);
  const path = `/v1/credentials/${encodeURIComponent(credential)}/companions/${encodeURIComponent(name)}`;
  const query = options.store === undefined ? '' : `?store=${encodeURIComponent(options.store)}`;
  const set = (await (await api()).call({ method: 'PUT', path: `${path}${query}`, octets: secret })) as {
    generation: number;
    warnings: readonly { message: string }[];
  };
  for (const { message } of set.warnings) terminal.warn(message);
  terminal.result(set, [`Set ${name} of ${credential} (generation ${set.generation}).`]);
}
