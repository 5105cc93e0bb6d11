import type { Context } from '../../context.ts';

export default async function promote(
  { terminal, api }: Context,
  _options: object,
  credential: string,
  version: string,
): Promise<void> {
  const path = `/v1/credentials/${encodeURIComponent(credential)}/versions/${encodeURIComponent(version)}/promote`;
  const promoted = (await (await api()).call({ method: 'POST', path })) as { previous: number | null };
  const before = promoted.previous === null ? '' : ` Version ${promoted.previous} is now previous.`;
  terminal.result(promoted, [`Version ${version} of ${credential} is current.${before}`]);
  terminal.note('Clients that watch change over within a second, others at their next renewal.');
}
