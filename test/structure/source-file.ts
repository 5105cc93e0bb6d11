import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** One import of a file, whatever its form. */
export interface Import {
  /** As written: `../core/errors.ts`, `node:fs`, `express`. */
  readonly specifier: string;
  readonly form: 'static' | 'type' | 'dynamic' | 'url';
}

export interface SourceFile {
  /** From the root of the walked tree, with forward slashes: `ledger/sqlite/writer.ts`. */
  readonly path: string;
  /** Without comments; strings stand. */
  readonly code: string;
  readonly imports: readonly Import[];
}

const FORMS: readonly { readonly form: Import['form']; readonly pattern: RegExp }[] = [
  // `import x from 'y'` and `export { x } from 'y'`, over several lines too; `import { type x }` is one of them.
  {
    form: 'static',
    pattern:
      /(?:^|[;\n}])\s*(?:import|export)\s(?!\s*type\s+[\w{*])(?:[\w\s{},*$]*?\s)?from\s*(['"])(?<specifier>[^'"]+)\1/g,
  },
  { form: 'static', pattern: /(?:^|[;\n}])\s*import\s*(['"])(?<specifier>[^'"]+)\1/g },
  // `import type { x } from 'y'`, which leaves nothing behind at run time.
  {
    form: 'type',
    pattern: /(?:^|[;\n}])\s*(?:import|export)\s+type\s+[\w{*][\w\s{},*$]*?\sfrom\s*(['"])(?<specifier>[^'"]+)\1/g,
  },
  // Dynamic imports, and types such as import('x').Y.
  { form: 'dynamic', pattern: /\bimport\s*\(\s*(['"`])(?<specifier>[^'"`$]+)\1/g },
  { form: 'url', pattern: /\bnew\s+URL\(\s*(['"`])(?<specifier>[^'"`$]+\.[mc]?[jt]s)\1/g },
];

/** What no list of imports would show: computed specifiers and CommonJS. */
export const OPAQUE: readonly { readonly what: string; readonly pattern: RegExp }[] = [
  { what: 'an import() of something computed', pattern: /\bimport\s*\(\s*(?!['"]|`[^`$]*`)/ },
  { what: 'require', pattern: /\brequire\s*\(|\bcreateRequire\b/ },
];

export function readSource(root: string, path: string): SourceFile {
  const code = withoutComments(readFileSync(join(root, path), 'utf8'));
  const imports = FORMS.flatMap(({ form, pattern }) =>
    [...code.matchAll(pattern)].map((match) => ({ form, specifier: match.groups?.['specifier'] ?? '' })),
  );
  return { path, code, imports };
}

/** Lines that hold code. */
export function linesOfCode(file: SourceFile): number {
  return file.code.split('\n').filter((line) => line.trim() !== '').length;
}

/**
 * Takes out comments and keeps every line break. Strings, templates and regular expressions are stepped over, so that
 * a `//` in a URL is no comment; a template's expressions count as part of the template.
 */
export function withoutComments(text: string): string {
  const token =
    /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\[\s\S]|[^`\\])*`|(?<=[=(,:[!&|?{};\n]\s*|return\s)\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\//g;
  return text.replace(token, (found) => (/^\/[/*]/.test(found) ? found.replace(/[^\n]/g, '') : found));
}
