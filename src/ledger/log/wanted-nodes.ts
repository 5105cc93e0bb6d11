import { EMPTY_ROOT } from '../../audit/merkle.ts';
import type { TreeNodes } from '../../audit/tree.ts';

export interface NodePlace {
  readonly level: number;
  readonly index: number;
}

/**
 * The nodes that a proof is made of, each once. Which ones they are does not depend on their hashes, so the proof is
 * made on paper first; then they can be read all at once.
 */
export function wantedNodes(prove: (nodes: TreeNodes) => unknown): NodePlace[] {
  const wanted = new Map<string, NodePlace>();
  prove({
    node(level, index) {
      wanted.set(`${level} ${index}`, { level, index });
      return EMPTY_ROOT;
    },
  });
  return [...wanted.values()];
}
