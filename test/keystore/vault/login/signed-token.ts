import { createSign } from 'node:crypto';

/** A JWT (RFC 7519) signed with ES256, good for a minute from now, with these claims. */
export function signedToken(keyPem: string, claims: object): string {
  const now = Math.floor(Date.now() / 1000);
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const times = { iat: now - 5, nbf: now - 5, exp: now + 60 };
  const signed = `${part({ alg: 'ES256', typ: 'JWT' })}.${part({ ...times, ...claims })}`;
  const signature = createSign('sha256').update(signed).sign({ key: keyPem, dsaEncoding: 'ieee-p1363' }, 'base64url');
  return `${signed}.${signature}`;
}
