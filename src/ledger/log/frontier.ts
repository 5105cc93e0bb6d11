import { HASH_BYTES } from '../../audit/merkle.ts';
import { TreeFrontier } from '../../audit/tree.ts';

/** The frontier's hashes one after the other: how it rests in the head's row. */
export function packFrontier(frontier: TreeFrontier): Buffer {
  return Buffer.concat(frontier.hashes());
}

/** @throws KeyturnError `ledger_corrupt` when there are not as many hashes as the size asks for. */
export function unpackFrontier(size: number, packed: Uint8Array): TreeFrontier {
  const octets = Buffer.from(packed);
  const hashes: Buffer[] = [];
  for (let at = 0; at < octets.length; at += HASH_BYTES) hashes.push(octets.subarray(at, at + HASH_BYTES));
  return TreeFrontier.restore(size, hashes);
}

/**
 * The places, largest subtree first, of the nodes that make up the right edge of a tree of `size` leaves: one complete
 * subtree for each one bit of it.
 */
export function frontierPlaces(size: number): { readonly level: number; readonly index: number }[] {
  const places: { level: number; index: number }[] = [];
  let start = 0;
  for (let level = 52; level >= 0; level -= 1) {
    const width = 2 ** level;
    if (size - start < width) continue;
    places.push({ level, index: start / width });
    start += width;
  }
  return places;
}
