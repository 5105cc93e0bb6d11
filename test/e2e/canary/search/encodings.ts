/** One way in which octets can stand somewhere: as they are, or as text. */
export interface Encoded {
  readonly encoding: string;
  readonly octets: Buffer;
}

/** Octets of one piece that is looked for: long enough that chance finds none, short enough that a line holds some. */
const PIECE = 15;

/**
 * Pieces from the beginning, the middle and the end of a secret, so that what is cut short or broken into lines is
 * found as well.
 */
export function piecesOf(secret: Buffer): Buffer[] {
  if (secret.length <= PIECE) return [secret];
  const last = secret.length - PIECE;
  return [...new Set([0, Math.floor(last / 2), last])].map((from) => secret.subarray(from, from + PIECE));
}

/** Every encoding of one piece. */
export function encodingsOf(piece: Buffer): Encoded[] {
  const hex = piece.toString('hex');
  const texts: Record<string, string> = {
    'hex, lower case': hex,
    'hex, upper case': hex.toUpperCase(),
    'hex, as Buffers are shown': (hex.match(/../g) ?? []).join(' '),
    'hex, with colons': (hex.match(/../g) ?? []).join(':'),
    'decimal octets, as JSON has them': [...piece].join(','),
    'decimal octets, as arrays are shown': [...piece].join(', '),
    'percent-encoded, every octet': hex.replaceAll(/../g, '%$&'),
    'percent-encoded, every octet, upper case': hex.toUpperCase().replaceAll(/../g, '%$&'),
    'percent-encoded, as components are': percent(piece),
    'JSON string': JSON.stringify(piece.toString('latin1')).slice(1, -1),
    'Latin-1 shown as UTF-8': piece.toString('latin1'),
    ...base64Of(piece, 'base64'),
    ...base64Of(piece, 'base64url'),
  };
  const encoded = [
    { encoding: 'octets', octets: piece },
    { encoding: 'octets, reversed', octets: Buffer.from(piece).reverse() },
  ];
  for (const [encoding, text] of Object.entries(texts)) {
    encoded.push({ encoding, octets: Buffer.from(text, 'utf8') });
    encoded.push({ encoding: `${encoding}, UTF-16LE`, octets: Buffer.from(text, 'utf16le') });
  }
  return unique(encoded);
}

/** A text that stands for a secret, as it is and as two octets a character: a line of PEM, a decimal number. */
export function textEncodings(encoding: string, text: string): Encoded[] {
  return [
    { encoding, octets: Buffer.from(text, 'utf8') },
    { encoding: `${encoding}, UTF-16LE`, octets: Buffer.from(text, 'utf16le') },
  ];
}

/** Wherever the piece lies in what was encoded, one of three groupings is that of its text. */
function base64Of(piece: Buffer, alphabet: 'base64' | 'base64url'): Record<string, string> {
  const groupings: Record<string, string> = {};
  for (const skip of [0, 1, 2]) {
    const whole = skip + 3 * Math.floor((piece.length - skip) / 3);
    groupings[`${alphabet}, offset ${skip}`] = piece.subarray(skip, whole).toString(alphabet);
  }
  return groupings;
}

/** RFC 3986 section 2.3: what is unreserved stays. */
function percent(piece: Buffer): string {
  return [...piece]
    .map((octet) => {
      const character = String.fromCharCode(octet);
      return /[A-Za-z0-9._~-]/.test(character) ? character : `%${octet.toString(16).toUpperCase().padStart(2, '0')}`;
    })
    .join('');
}

/** The first of those that look alike. */
export function unique(encoded: readonly Encoded[]): Encoded[] {
  const seen = new Set<string>();
  return encoded.filter(({ octets }) => {
    const key = octets.toString('latin1');
    return !seen.has(key) && seen.add(key);
  });
}
