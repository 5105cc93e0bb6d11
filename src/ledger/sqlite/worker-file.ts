/**
 * V8 lets the young generation of a thread grow to 48 MiB before it looks for garbage; a batch or an answer needs a
 * fraction of that. The old generation has room for the largest answers.
 */
export const WORKER_LIMITS = { maxYoungGenerationSizeMb: 3, maxOldGenerationSizeMb: 512 } as const;

/**
 * Where a worker's module is, seen from the module whose `import.meta.url` is given. The sources run as `.ts`, the
 * package as `.js`; the compiler rewrites the extension in an import, but not in a URL, so it is taken from the
 * module that asks.
 */
export function workerFile(path: string, from: string): URL {
  const extension = /\.[cm]?[jt]s$/.exec(new URL(from).pathname)?.[0] ?? '.js';
  return new URL(`${path}${extension}`, from);
}
