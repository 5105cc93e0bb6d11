import type { Context } from '../../context.ts';

export default async function destroy(
  { terminal, api }: Context,
  _options: object,
  credential: string,
  version: string,
): Promise<void> {
  const path = `/v1/credentials/${encodeURIComponent(credential)}/versions/${encodeURIComponent(version)}/destroy`;
  const destroyed = (await (await api()).call({ method: 'POST', path })) as { stores: readonly string[] };
  terminal.result(destroyed, [
    `Destroyed the key of version ${version} of ${credential} in ${destroyed.stores.join(', ')}.`,
  ]);
  terminal.note('Backups made before hold it still: destroy them in their turn. The partner revokes the certificate.');
}
