/** HPKE base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM. All fields base64url without padding but `seq`. */
export interface SealedAnswer {
  /** Encapsulated key of the context, 32 octets. */
  readonly enc: string;
  /** Sequence number within the context; never used twice. */
  readonly seq: number;
  readonly ct: string;
}

/** What a sealed answer is bound to: its canonical JSON is the associated data. All are the answer's public fields. */
export interface AnswerBinding {
  readonly lease: string;
  readonly credential: string;
  readonly version: number;
  /** Lower-case hex. */
  readonly spki: string;
  /** RFC 3339, as in the answer. */
  readonly expiresAt: string;
}
