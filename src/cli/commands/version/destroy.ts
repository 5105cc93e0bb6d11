import type { Context } from '../../context.ts';

interface Destroyed {
  readonly stores: readonly string[];
  /** Absent from servers of before. */
  readonly lingering?: readonly { readonly store: string; readonly detail: string }[];
}

export default async function destroy(
  { terminal, api }: Context,
  _options: object,
  credential: string,
  version: string,
): Promise<void> {
  const path = `/v1/credentials/${encodeURIComponent(credential)}/versions/${encodeURIComponent(version)}/destroy`;
  const destroyed = (await (await api()).call({ method: 'POST', path })) as Destroyed;
  terminal.result(destroyed, [
    `Destroyed the key of version ${version} of ${credential} in ${destroyed.stores.join(', ')}.`,
  ]);
  for (const { store, detail } of destroyed.lingering ?? []) terminal.warn(`${store}: ${detail}.`);
  terminal.note('Backups made before hold it still: destroy them in their turn. The partner revokes the certificate.');
}
