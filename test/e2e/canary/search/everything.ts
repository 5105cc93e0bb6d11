import buffer from 'node:buffer';
import { inspect } from 'node:util';
import { serialize } from 'node:v8';

/**
 * All that a program, a logger or a debugger could write of a value: `util.inspect` as deep as it goes, hidden members
 * and getters included, JSON, text, copies, and the whole chain of causes of an error.
 */
export function everythingOf(value: unknown): Buffer {
  const texts = [...withMembers(value)].flatMap((each) => [
    inspected(each),
    attempt(() => JSON.stringify(each) ?? ''),
    attempt(() => `${String(each)}`),
    attempt(() => inspected(structuredClone(each))),
  ]);
  return Buffer.concat([Buffer.from(texts.join('\n'), 'utf8'), serialised(value)]);
}

/** The value, and of an error its members and causes by themselves. */
function* withMembers(value: unknown): Iterable<unknown> {
  yield value;
  const seen = new Set<unknown>();
  for (let at = value; at instanceof Error && !seen.has(at); at = at.cause) {
    seen.add(at);
    yield* [at.message, at.stack, at.cause, Object.entries(at)];
    if (at instanceof AggregateError) yield* at.errors;
  }
}

/** Deeper than this lie only the runtime's own objects, more and more of them. */
const DEPTH = 16;

function inspected(value: unknown): string {
  const most = buffer.INSPECT_MAX_BYTES;
  buffer.INSPECT_MAX_BYTES = Number.POSITIVE_INFINITY;
  try {
    const all = { depth: DEPTH, showHidden: true, maxArrayLength: null, maxStringLength: null };
    const ways = [{ ...all, getters: true }, { ...all, customInspect: false }, all, {}];
    return ways.map((options) => attempt(() => inspect(value, options))).join('\n');
  } finally {
    buffer.INSPECT_MAX_BYTES = most;
  }
}

function serialised(value: unknown): Buffer {
  try {
    return serialize(value);
  } catch {
    return Buffer.alloc(0);
  }
}

/** Rings, and what refuses to be copied. What the refusal says is searched too. */
function attempt(make: () => string): string {
  try {
    return make();
  } catch (error) {
    return error instanceof Error ? `${error.message}\n${error.stack}` : '';
  }
}
