import type { Context } from '../../../context.ts';
import { table } from '../../../terminal/terminal.ts';

interface Forecast {
  readonly automatic: boolean;
  readonly until: string;
  readonly total: number;
  readonly items: readonly {
    readonly credential: string;
    readonly version: number;
    readonly reason: string;
    readonly since: string;
    readonly at: string;
    readonly latest: string;
  }[];
}

export default async function forecast(
  { terminal, api }: Context,
  { days }: { readonly days?: string },
): Promise<void> {
  const query = days === undefined ? '' : `?days=${encodeURIComponent(days)}`;
  const path = `/v1/rotations/forecast${query}`;
  const shown = (await (await api()).call({ method: 'GET', path })) as Forecast;
  const rows = shown.items.map(({ credential, version, reason, since, at, latest }) => {
    return [credential, String(version), reason, since, at, latest];
  });
  const head = ['credential', 'version', 'reason', 'holds from', 'begins', 'at the latest'];
  const rest = shown.total - shown.items.length;
  terminal.result(shown, [
    ...table(head, rows, `Nothing falls due until ${shown.until}.`),
    ...(rest === 0 ? [] : ['', `And ${rest} more after these.`]),
    ...(shown.automatic ? [] : ['', 'Nothing begins by itself here: rotation.automatic is false in keyturn.yaml.']),
  ]);
}
