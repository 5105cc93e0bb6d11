const RESULTS = new WeakSet<object>();

/** True for what a remembered function gave: nobody changes it, and equal arguments gave the same object. */
export function isRemembered(value: object): boolean {
  return RESULTS.has(value);
}

/**
 * `make` with its results kept, so that equal arguments give the very same object. For functions whose result depends
 * on their arguments alone and is not changed by anybody. At most `limit` results are kept; then all are made anew.
 */
export function remembered<A extends readonly (string | number)[], R extends object>(
  make: (...args: A) => R,
  limit = 1_000,
): (...args: A) => R {
  const made = new Map<string, R>();
  return (...args) => {
    const key = keyOf(args);
    const known = made.get(key);
    if (known !== undefined) return known;
    const result = frozen(make(...args));
    if (made.size >= limit) made.clear();
    made.set(key, result);
    RESULTS.add(result);
    return result;
  };
}

/** All the way down: many hold it, and what one of them changed would be changed for all. */
function frozen<R extends object>(value: R): R {
  for (const member of Object.values(value)) if (typeof member === 'object' && member !== null) frozen(member);
  return Object.freeze(value);
}

/** No other list has the same: a text stands behind its length, a number between marks that no length begins with. */
function keyOf(args: readonly (string | number)[]): string {
  let key = '';
  for (const arg of args) key += typeof arg === 'string' ? `${arg.length}:${arg}` : `#${arg};`;
  return key;
}
