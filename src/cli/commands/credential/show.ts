import type { Context } from '../../context.ts';
import { facts, table } from '../../terminal/terminal.ts';

/** A credential as the API shows it. */
export interface Shown {
  readonly name: string;
  readonly current: number | null;
  readonly frozen: boolean;
  readonly versions: readonly {
    readonly version: number;
    readonly state: string;
    readonly subject: string;
    readonly serial: string;
    readonly spki: string;
    readonly notAfter: string;
    readonly store: string;
  }[];
  readonly companions: readonly { readonly name: string; readonly generation: number; readonly setAt: string }[];
  readonly holds: readonly {
    readonly id: string;
    readonly subject: string;
    readonly reason: string;
    readonly placedBy: string;
  }[];
  readonly leases: readonly { readonly version: number; readonly principal: string; readonly expiresAt: string }[];
}

export default async function credentialShow(
  { terminal, api }: Context,
  _options: object,
  credential: string,
): Promise<void> {
  const path = `/v1/credentials/${encodeURIComponent(credential)}`;
  const shown = (await (await api()).call({ method: 'GET', path })) as Shown;
  const { versions, companions, holds, leases } = shown;
  terminal.result(shown, [
    ...facts([
      ['credential', shown.name],
      ['current', shown.current],
      ['frozen', shown.frozen ? 'yes' : 'no'],
      ['companions', companions.map(({ name, generation }) => `${name} (generation ${generation})`).join(', ') || null],
    ]),
    '',
    ...table(
      ['version', 'state', 'ends', 'serial', 'spki', 'store'],
      versions.map((row) => [
        String(row.version),
        row.state,
        row.notAfter.slice(0, 10),
        row.serial,
        row.spki.slice(0, 16),
        row.store,
      ]),
      'No versions.',
    ),
    ...(holds.length === 0
      ? []
      : [
          '',
          ...table(
            ['hold', 'on', 'by', 'reason'],
            holds.map((hold) => [hold.id, hold.subject, hold.placedBy, hold.reason]),
            '',
          ),
        ]),
    '',
    ...table(
      ['lease on', 'principal', 'until'],
      leases.map((lease) => [String(lease.version), lease.principal, lease.expiresAt]),
      'No live leases.',
    ),
  ]);
}
