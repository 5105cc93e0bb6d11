import { createHash } from 'node:crypto';

/** What a record of this name holds in the crash tests: 1 000 octets that follow from the name. */
export function contentOf(name: string): Buffer {
  return Buffer.alloc(1000, createHash('sha256').update(name).digest());
}
