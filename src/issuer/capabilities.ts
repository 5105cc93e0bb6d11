/** What an issuer can do, declared once: the rotation's plan rests on it. */
export interface IssuerCapabilities {
  /** Who may make the key. `keyturn`: a request of ours is signed. `partner`: key and certificate are handed out. */
  readonly keyMadeBy: readonly ('keyturn' | 'partner')[];
  /** `at-once`: `issue` gives the certificate. `awaited`: it gives what a person has to do, and the upload follows. */
  readonly answers: 'at-once' | 'awaited';
  /** Whether it can say which certificates it has issued for a key. */
  readonly finds: boolean;
  /**
   * For how many seconds after it a repeated `issue` with the same id and request gives the same certificate instead
   * of a second one. 0: never. Infinity: always.
   */
  readonly sameAnswerSeconds: number;
  /** `interface`: `revoke` revokes. `asking`: it says whom to ask. */
  readonly revokes: 'interface' | 'asking';
  /** Whether the reason of a revocation is told to those who look; where it is not, our log alone knows it. */
  readonly keepsReason: boolean;
  /** Whether it tells the world what is revoked, by a revocation list (RFC 5280 section 5) or OCSP. */
  readonly publishesRevocations: boolean;
}
