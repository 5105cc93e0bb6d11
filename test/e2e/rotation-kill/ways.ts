import { UNDO_PROMOTED, UNDO_STAGED } from '../../../src/rotation/workflow/path.ts';

/**
 * How a rotation goes. `portal`: the partner makes key and certificate, a person brings them and asks for the revocation.
 * `local`: our own key, our own authority. `pki`: our own key, a PKI engine of OpenBao. `csr`: our own key, its request in a person's hands.
 */
export type Maker = 'portal' | 'local' | 'pki' | 'csr';

/** What somebody orders in its midst: to give it up when it is at that step, or to go back while the old one drains. */
export type Turn = { readonly verb: 'abort'; readonly at: 'await' | 'canary' } | { readonly verb: 'roll-back' } | null;

export interface Way {
  readonly name: string;
  readonly maker: Maker;
  readonly turn: Turn;
  /** Every point that a rotation of this way passes. */
  readonly points: readonly string[];
}

const MADE: Readonly<Record<Maker, readonly string[]>> = {
  portal: ['await'],
  local: ['make-key', 'request', 'await'],
  pki: ['make-key', 'request', 'await'],
  csr: ['make-key', 'request', 'await'],
};
const REST = ['canary', 'promote', 'drain', 'revoke', 'prove', 'destroy'];
const MOMENTS = ['before', 'acted', 'journaled'];

function stepPoints(steps: readonly string[], inner: readonly string[]): string[] {
  return steps.flatMap((step) => [
    ...MOMENTS.map((moment) => `${step}:${moment}`),
    ...inner.filter((point) => point.startsWith(`${step}:`)),
  ]);
}

const INNER = ['make-key:written', 'request:answered'];

export const WAYS: readonly Way[] = [
  { name: 'portal', maker: 'portal', turn: null, points: stepPoints([...MADE.portal, ...REST], []) },
  {
    name: 'local',
    maker: 'local',
    turn: null,
    points: stepPoints([...MADE.local, ...REST], [...INNER, 'revoke:told']),
  },
  { name: 'pki', maker: 'pki', turn: null, points: stepPoints([...MADE.pki, ...REST], [...INNER, 'revoke:told']) },
  {
    name: 'pki-abort',
    maker: 'pki',
    turn: { verb: 'abort', at: 'canary' },
    points: stepPoints(UNDO_STAGED, ['discard:revoked']),
  },
  {
    name: 'portal-abort',
    maker: 'portal',
    turn: { verb: 'abort', at: 'canary' },
    points: stepPoints(UNDO_STAGED, []),
  },
  {
    name: 'local-abort',
    maker: 'local',
    turn: { verb: 'abort', at: 'canary' },
    points: stepPoints(UNDO_STAGED, ['discard:revoked']),
  },
  {
    name: 'csr-abort',
    maker: 'csr',
    turn: { verb: 'abort', at: 'await' },
    points: stepPoints(['make-key', 'request', ...UNDO_STAGED], [...INNER, 'discard:destroyed']),
  },
  { name: 'portal-roll-back', maker: 'portal', turn: { verb: 'roll-back' }, points: stepPoints(UNDO_PROMOTED, []) },
  {
    name: 'local-roll-back',
    maker: 'local',
    turn: { verb: 'roll-back' },
    points: stepPoints(UNDO_PROMOTED, ['discard:revoked']),
  },
];

export function wayNamed(name: string): Way {
  const way = WAYS.find((one) => one.name === name);
  if (way === undefined) throw new Error(`No such way: ${name}.`);
  return way;
}
