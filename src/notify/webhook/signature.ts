import { createHmac } from 'node:crypto';

/** Header that says when a body was sent and by whom: `t=1766000000,v1=9f…`. */
export const SIGNATURE_HEADER = 'keyturn-signature';

/**
 * HMAC-SHA256 over the seconds since the epoch, a dot and the body, so that a receiver can refuse what is old.
 * `docs/formats/reminder.md` is normative.
 */
export function signatureOf(secret: Uint8Array, seconds: number, body: string): string {
  const mac = createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex');
  return `t=${seconds},v1=${mac}`;
}
