import type { Context } from '../../context.ts';

export default async function retire(
  { terminal, api }: Context,
  options: { readonly force?: boolean },
  credential: string,
  version: string,
): Promise<void> {
  const path = `/v1/credentials/${encodeURIComponent(credential)}/versions/${encodeURIComponent(version)}/retire`;
  const json = { force: options.force === true };
  const retired = (await (await api()).call({ method: 'POST', path, json })) as { liveLeases: number };
  terminal.result(retired, [`Version ${version} of ${credential} is retired; nothing brings it back into use.`]);
  if (retired.liveLeases > 0) terminal.warn(`Live leases on it: ${retired.liveLeases}. Their holders have the key.`);
  terminal.note(`Its key rests in its store until: keyturn destroy ${credential} ${version}`);
}
