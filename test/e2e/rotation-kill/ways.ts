import { pathOf, UNDO_PROMOTED, UNDO_STAGED } from '../../../src/rotation/workflow/path.ts';

/**
 * Where certificates come from. `portal`: the partner makes key and certificate, a person brings them and asks for the
 * revocation. `local`: our own key, our own authority. `pki`: our own key, a PKI engine of OpenBao. `csr`: our own key, its
 * request in a person's hands.
 */
export type Maker = 'portal' | 'local' | 'pki' | 'csr';

/** What somebody orders in its midst: to give it up when it is at that step, or to go back while the old one drains. */
export type Turn = { readonly verb: 'abort'; readonly at: 'await' | 'canary' } | { readonly verb: 'roll-back' } | null;

/** How a rotation goes. */
export interface Way {
  readonly name: string;
  readonly maker: Maker;
  readonly live: 1 | 2;
  readonly turn: Turn;
  /** Every point that a rotation of this way is killed at. */
  readonly points: readonly string[];
}

const MOMENTS = ['before', 'acted', 'journaled'];

function pointsOf(steps: readonly string[], within: readonly string[]): string[] {
  return steps.flatMap((step) => [
    ...MOMENTS.map((moment) => `${step}:${moment}`),
    ...within.filter((point) => point.startsWith(`${step}:`)),
  ]);
}

/** Points in the midst of a step. */
const MAKING = ['make-key:written', 'request:answered'];

function forward(maker: Maker, live: 1 | 2): Way {
  const path = pathOf({ keyBy: maker === 'portal' ? 'partner' : 'keyturn', live, replaces: true, share: false });
  const within = [
    ...(maker === 'portal' ? [] : MAKING),
    ...(maker === 'local' || maker === 'pki' ? ['revoke:told'] : []),
  ];
  const name = live === 1 ? `${maker}-live-1` : maker;
  return { name, maker, live, turn: null, points: pointsOf(path, within) };
}

/** Given up when the successor is there, and has not convinced yet. */
function abort(maker: Maker): Way {
  const within = maker === 'local' || maker === 'pki' ? ['discard:revoked'] : [];
  const turn = { verb: 'abort', at: 'canary' } as const;
  return { name: `${maker}-abort`, maker, live: 2, turn, points: pointsOf(UNDO_STAGED, within) };
}

/** Given up while others are waited for. */
function abortEarly(maker: 'portal' | 'csr', live: 1 | 2): Way {
  const own = maker === 'csr';
  const steps = [...(own ? ['make-key', 'request'] : []), ...UNDO_STAGED];
  const points = pointsOf(steps, own ? [...MAKING, 'discard:destroyed'] : []);
  const name = `${maker}${live === 1 ? '-live-1' : ''}-abort-early`;
  return { name, maker, live, turn: { verb: 'abort', at: 'await' }, points };
}

function rollBack(maker: Maker): Way {
  const within = maker === 'local' || maker === 'pki' ? ['discard:revoked'] : [];
  const name = `${maker}-roll-back`;
  return { name, maker, live: 2, turn: { verb: 'roll-back' }, points: pointsOf(UNDO_PROMOTED, within) };
}

export const WAYS: readonly Way[] = [
  forward('portal', 2),
  abort('portal'),
  rollBack('portal'),
  forward('portal', 1),
  abortEarly('portal', 1),
  forward('local', 2),
  abort('local'),
  rollBack('local'),
  forward('pki', 2),
  abort('pki'),
  rollBack('pki'),
  forward('csr', 2),
  abort('csr'),
  abortEarly('csr', 2),
  rollBack('csr'),
  forward('csr', 1),
];

/** All that one instance can go: of one maker, with so many certificates at once. */
export function waysOf(maker: Maker, live: 1 | 2): Way[] {
  return WAYS.filter((way) => way.maker === maker && way.live === live);
}

export function wayNamed(name: string): Way {
  const way = WAYS.find((one) => one.name === name);
  if (way === undefined) throw new Error(`No such way: ${name}.`);
  return way;
}
