import type { IncomingMessage } from 'node:http';
import { vaultError } from './reason.ts';

/** Largest answer, in octets. A list of 20,000 names of 200 characters is 4 MB. */
const MAX_OCTETS = 8 * 1024 * 1024;

/**
 * The body in one buffer; the pieces it came in are wiped.
 * @throws Error with code `body_too_large`, or the connection's own error when it ends too soon.
 */
export async function readBody(response: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let length = 0;
  try {
    for await (const piece of response) {
      if (!Buffer.isBuffer(piece)) continue;
      pieces.push(piece);
      length += piece.length;
      if (length > MAX_OCTETS) throw Object.assign(new Error('too large'), { code: 'body_too_large' });
    }
    const whole = Buffer.allocUnsafeSlow(length);
    let at = 0;
    for (const piece of pieces) at += piece.copy(whole, at);
    return whole;
  } finally {
    for (const piece of pieces) piece.fill(0);
  }
}

/** Vault answers JSON or nothing; another type is another program's, whatever its status says. */
export function checkContentType(type: string | undefined, octets: Buffer, status: number): void {
  if (octets.length === 0 || /^application\/json\s*(?:;|$)/i.test(type ?? '')) return;
  const wantsTls = status === 400 && octets.includes('HTTP request to an HTTPS server');
  octets.fill(0);
  if (wantsTls) {
    throw vaultError('not_vault', 'The server speaks TLS, and the address is plain http.', {
      status,
      fix: 'Write https:// in the address, and name its CA: tls.ca in keyturn.yaml, BAO_CACERT or VAULT_CACERT.',
    });
  }
  throw vaultError('not_vault', `What answered is not Vault: HTTP ${status} with another content than JSON.`, {
    status,
    fix: 'Check the address; a proxy or another service may stand there.',
  });
}
