import { KeyturnError } from '../../../core/errors.ts';
import { facts, table } from '../../terminal/terminal.ts';

interface StoreNow {
  readonly name: string;
  readonly place: string;
  readonly ready: boolean;
  readonly detail: string;
  readonly frozen: boolean;
  readonly lacking: readonly string[] | null;
}

interface Planned {
  readonly record: string;
  readonly credential: string;
  readonly what: string;
  readonly state: string;
}

/** As the API answers. */
export interface Plan {
  readonly from: StoreNow;
  readonly to: StoreNow;
  readonly moves: readonly Planned[];
  readonly skipped: readonly (Planned & { readonly why: string })[];
  readonly open: readonly string[];
}

export function planLines({ from, to, moves, skipped, open }: Plan): string[] {
  return [
    ...facts([
      ['from', describe(from)],
      ['to', describe(to)],
      ['interrupted before', open.length === 0 ? null : open.join(', ')],
    ]),
    '',
    ...table(['would move', 'state', 'record'], moves.map(row), 'Nothing would move.'),
    ...(skipped.length === 0
      ? []
      : [
          '',
          ...table(
            ['stays', 'state', 'why'],
            skipped.map((each) => [named(each), each.state, each.why]),
            '',
          ),
        ]),
  ];
}

function row(planned: Planned): string[] {
  return [named(planned), planned.state, planned.record];
}

function named({ credential, what }: Planned): string {
  return `${credential} ${what}`;
}

function describe({ name, place, ready, detail, frozen, lacking }: StoreNow): string {
  const rights = lacking === null ? 'its rights show at the first write' : lacking.length === 0 ? 'may be written' : '';
  const state = ready ? `answers; ${rights || `its login lacks ${(lacking ?? []).join(', ')}`}` : `DOWN: ${detail}`;
  return `${name} (${place}): ${frozen ? 'FROZEN; ' : ''}${state}`;
}

/** Before the first record: with such a store none would get through. @throws KeyturnError. */
export function refuseUnready({ from, to }: Plan): void {
  for (const { name, ready, detail, frozen, lacking } of [from, to]) {
    if (frozen) {
      throw new KeyturnError('held', `The key store ${name} is frozen: nothing leaves it and nothing goes there.`, {
        fix: 'See who froze it and why: keyturn hold list. Two persons can lift it: keyturn thaw.',
      });
    }
    if (!ready) {
      throw new KeyturnError('keystore_unavailable', `The key store ${name} does not answer: ${detail}`, {
        fix: 'Make it answer, then run the same command again. Nothing was moved.',
      });
    }
    if (lacking !== null && lacking.length > 0) {
      throw new KeyturnError(
        'keystore_unavailable',
        `The login at the key store ${name} lacks ${lacking.join(', ')}.`,
        {
          fix: 'Grant it, see policies/. Nothing was moved.',
        },
      );
    }
  }
}
