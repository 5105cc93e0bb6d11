import { KeyturnError } from '../../core/errors.ts';

/** One thing that is wrong with a policy. */
export interface Problem {
  readonly file: string;
  /** Line in the file, from 1; null when it is not about a line. */
  readonly line: number | null;
  /** Place in the content, e.g. `bindings[2].role`; empty for the whole file. */
  readonly path: string;
  /** What is wrong, a sentence. */
  readonly what: string;
  /** What to do, a sentence. */
  readonly fix: string;
}

/** Problems that a message lists; the rest is counted. */
const LISTED = 20;

/** All problems in one error: a policy is loaded whole or not at all. */
export function policyInvalid(problems: readonly Problem[]): KeyturnError {
  const lines = problems.slice(0, LISTED).map((problem) => `  ${place(problem)}: ${problem.what} ${problem.fix}`);
  if (problems.length > LISTED) lines.push(`  and ${problems.length - LISTED} more`);
  const [first] = problems;
  const count = problems.length === 1 ? 'one problem' : `${problems.length} problems`;
  return new KeyturnError('policy_invalid', [`The access policy is refused, for ${count}:`, ...lines].join('\n'), {
    fix: first === undefined ? 'Mend the policy files.' : first.fix,
    facts: {
      problems: problems.length,
      file: first?.file ?? null,
      line: first?.line ?? null,
      path: first?.path ?? null,
    },
  });
}

function place({ file, line, path }: Problem): string {
  return [line === null ? file : `${file}:${line}`, path].filter((part) => part !== '').join(' ');
}

/** `["bindings", 2, "role"]` as `bindings[2].role`. */
export function pathText(path: readonly PropertyKey[]): string {
  return path
    .map((step, i) => (typeof step === 'number' ? `[${step}]` : `${i === 0 ? '' : '.'}${shown(step)}`))
    .join('');
}

function shown(step: PropertyKey): string {
  return /^[a-z0-9_-]{1,40}$/i.test(String(step)) ? String(step) : '?';
}

/** A short text of a policy for a message: at most 40 characters, and nothing in it that looks like something else. */
export function quoted(text: string): string {
  const short = text.length > 40 ? `${text.slice(0, 40)}…` : text;
  const visible = Array.from(short, (character) => (/^[ -~…]$/.test(character) ? character : escaped(character)));
  return `"${visible.join('')}"`;
}

function escaped(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}
