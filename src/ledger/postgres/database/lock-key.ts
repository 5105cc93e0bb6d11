import { hash } from 'node:crypto';

/** The 64 bits of an advisory lock, as decimal text: one for each schema and name. */
export function lockKey(schema: string, name: string): string {
  return hash('sha256', `keyturn ${schema} ${name}`, 'buffer').readBigInt64BE(0).toString();
}
