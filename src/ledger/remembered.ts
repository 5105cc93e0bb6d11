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
    // A list of texts and numbers has one JSON form, and no other list has the same.
    const key = args.length === 1 ? `${typeof args[0]} ${args[0]}` : JSON.stringify(args);
    const known = made.get(key);
    if (known !== undefined) return known;
    const result = make(...args);
    if (made.size >= limit) made.clear();
    made.set(key, result);
    return result;
  };
}
