/**
 * Proof that one access is on the one log. All hashes are base64 (RFC 4648 section 4, padded) of 32 octets.
 */
export interface Receipt {
  /** Leaf index of the entry. */
  readonly index: number;
  /** The exact canonical JSON text of the entry: its UTF-8 octets are the leaf. */
  readonly entry: string;
  /** RFC 9162 section 2.1.3 inclusion path, leaf to root, at the checkpoint's size. */
  readonly inclusion: readonly string[];
  /** Signed note text (C2SP tlog-checkpoint). */
  readonly checkpoint: string;
  /** RFC 9162 section 2.1.4 path from the size the client had seen; absent when it had seen none. */
  readonly consistency?: { readonly from: number; readonly path: readonly string[] };
}
