import { KeyturnError } from '../core/errors.ts';
import { isCredentialName, isSegment } from './credential-name.ts';

/** What a pattern is made of: a literal segment, `*` for exactly one, or, last, `**` for one or more. */
export class CredentialPattern {
  readonly text: string;
  readonly #segments: readonly string[];

  private constructor(text: string) {
    this.text = text;
    this.#segments = text.split('/');
  }

  /** @throws KeyturnError `invalid_input`, saying what is wrong with the text. */
  static parse(text: string): CredentialPattern {
    const wrong = whatIsWrong(text);
    if (wrong === null) return new CredentialPattern(text);
    throw new KeyturnError('invalid_input', `A pattern of credential names ${wrong}.`, {
      fix: 'Write a name such as lean/sandbox, lean/* for one part, or lean/** for all that begins so.',
    });
  }

  /** True for `**`, which alone stands for all credentials there are and will be. */
  get matchesEverything(): boolean {
    return this.text === '**';
  }

  /** False for anything that is not a canonical name, so that no other spelling slips through a `*`. */
  matches(name: string): boolean {
    if (!isCredentialName(name)) return false;
    const parts = name.split('/');
    const open = this.#segments.at(-1) === '**';
    if (open ? parts.length < this.#segments.length : parts.length !== this.#segments.length) return false;
    const fixed = open ? this.#segments.slice(0, -1) : this.#segments;
    return fixed.every((segment, i) => segment === '*' || segment === parts[i]);
  }
}

/** Null for a pattern that can match some name, else the end of a sentence. */
export function whatIsWrong(text: string): string | null {
  if (text === '') return 'is empty';
  const segments = text.split('/');
  const last = segments.at(-1);
  if (segments.slice(0, -1).includes('**')) return 'has ** before its end, where it has no meaning';
  if (!segments.every((segment) => segment === '*' || segment === '**' || isSegment(segment))) {
    return 'has a part that is neither *, nor ** at the end, nor lower-case letters, digits, dots, hyphens, underscores';
  }
  if (segments.length > 3) return 'has more than 3 parts and can match no name';
  if (segments.length === 1 && last !== '**') return 'has one part and can match no name, which has 2 or 3';
  return null;
}
