import { KeyturnError } from '../core/errors.ts';
import type { Principal } from './permission.ts';

const PRINCIPAL = /^(service|person):[a-z0-9][a-z0-9._-]{0,63}$/;

/**
 * Reads `service:payments` or `person:alice`. The text is attacker-controlled: it is canonical or refused, never
 * trimmed or folded, so that two texts never mean one principal and no text reads as a pattern.
 * @throws KeyturnError `invalid_input`.
 */
export function principalOf(text: string): Principal {
  const kind = PRINCIPAL.exec(text)?.[1];
  if (kind === 'service' || kind === 'person') return { id: text, kind };
  throw new KeyturnError('invalid_input', 'That is not the id of a principal.', {
    fix: 'Write service:NAME or person:NAME; a name has up to 64 lower-case letters, digits, dots, hyphens, underscores.',
  });
}

/** True when the id is canonical and of the kind that the principal claims. */
export function isSoundPrincipal({ id, kind }: Principal): boolean {
  return PRINCIPAL.exec(id)?.[1] === kind;
}
