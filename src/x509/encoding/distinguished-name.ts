import type { JsonName } from '@peculiar/x509';

/** What RFC 4514 section 2.4 has escaped, and whatever a terminal or a log might act on (control, format, unassigned). */
const SPECIAL = /[,+"\\<>;=]|^[ #]| $|\p{C}|[\u2028\u2029]/gu;

/**
 * A distinguished name on one line as RFC 4514 has it: most specific part first, `CN=client,O=Acme,C=GB`.
 * Characters that could forge a second line or hide text are written as their UTF-8 octets, `\0A`.
 */
export function distinguishedName(name: JsonName): string {
  return name
    .toReversed()
    .map((part) => Object.entries(part).flatMap(([type, values]) => values.map((value) => `${type}=${escaped(value)}`)))
    .map((pairs) => pairs.join('+'))
    .join(',');
}

function escaped(value: string): string {
  return value.replace(SPECIAL, (character) =>
    /^[ -~]$/.test(character) ? `\\${character}` : Buffer.from(character).toString('hex').replace(/../g, '\\$&'),
  );
}
