import { CircuitState } from 'cockatiel';

/** `open`: the store failed again and again, and is left alone for a while; `half-open`: one call tries it. */
export type Circuit = 'closed' | 'half-open' | 'open';

const OF_STATE: Readonly<Record<CircuitState, Circuit>> = {
  [CircuitState.Closed]: 'closed',
  [CircuitState.HalfOpen]: 'half-open',
  [CircuitState.Open]: 'open',
  [CircuitState.Isolated]: 'open',
};

/** The state of a breaker of cockatiel, as we tell it. */
export function circuitOf(state: CircuitState): Circuit {
  return OF_STATE[state];
}
