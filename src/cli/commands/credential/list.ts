import { everyCredential } from '../../api/every-credential.ts';
import type { Context } from '../../context.ts';
import { table } from '../../terminal/terminal.ts';

export default async function credentialList({ terminal, api }: Context): Promise<void> {
  const items = await everyCredential(await api());
  const rows = items.map((item) => {
    const current = item.versions.find(({ version }) => version === item.current);
    return [
      item.name,
      item.current === null ? '-' : String(item.current),
      current?.notAfter.slice(0, 10) ?? '-',
      current === undefined ? '-' : `${Math.floor((Date.parse(current.notAfter) - Date.now()) / 86_400_000)} d`,
      String(item.leases.length),
      item.frozen ? 'FROZEN' : '',
    ];
  });
  terminal.result(
    { items },
    table(['credential', 'current', 'ends', 'left', 'leases', ''], rows, 'No credentials that you may see.'),
  );
}
