import { globSync } from 'node:fs';
import { dirname, posix } from 'node:path';
import { LIMITS, type Room } from './rooms.ts';
import { type Import, linesOfCode, OPAQUE, readSource, type SourceFile } from './source-file.ts';

/** Every breach of the structure below `root`, one sentence each; empty when all holds. */
export function inspectTree(root: string, rooms: Readonly<Record<string, Room>>): string[] {
  const files = globSync('**/*.{ts,mts,js,mjs}', { cwd: root })
    .map((path) => readSource(root, path.replaceAll('\\', '/')))
    .sort((a, b) => a.path.localeCompare(b.path));
  return [
    ...files.flatMap((file) => roomBreaches(file, rooms)),
    ...files.flatMap(shapeBreaches),
    ...folderBreaches(files),
    ...cycles(files).map((cycle) => `These files import one another in a circle: ${cycle.join(' → ')}.`),
  ];
}

function roomBreaches(file: SourceFile, rooms: Readonly<Record<string, Room>>): string[] {
  const name = roomOf(file.path);
  const room = rooms[name];
  if (room === undefined)
    return [`${file.path} is in the room "${name}", which test/structure/rooms.ts does not know.`];
  return file.imports.flatMap((imported) => {
    const refusal = refusalOf(file, name, room, imported);
    return refusal === null ? [] : [`${file.path} imports ${imported.specifier}: ${refusal}.`];
  });
}

function refusalOf(file: SourceFile, name: string, room: Room, imported: Import): string | null {
  const { specifier, form } = imported;
  if (specifier === 'node:http' && form !== 'type') return 'it loads Undici with it; core/io/http.ts does not';
  if (specifier.startsWith('node:')) return null;
  if (!specifier.startsWith('.')) {
    const pack = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
    return room.packages.includes(pack) ? null : `${name} may not use the package ${pack}`;
  }
  const target = posix.normalize(posix.join(dirname(file.path), specifier));
  if (target.startsWith('..')) return 'it leaves the tree';
  const to = roomOf(target);
  if (to === name || room.rooms.includes(to)) return null;
  if (room.types?.includes(to)) return form === 'type' ? null : `${name} may see only types of ${to}`;
  if (room.dynamic?.includes(to)) return form === 'static' ? `${name} may import ${to} only by import()` : null;
  return `${name} may not see ${to}`;
}

/** The first folder; a file beside the folders, such as compose.ts, is a room of its own. */
function roomOf(path: string): string {
  return (path.split('/')[0] ?? '').replace(/\.[mc]?[jt]s$/, '');
}

function shapeBreaches(file: SourceFile): string[] {
  const lines = linesOfCode(file);
  return [
    ...(lines > LIMITS.linesOfCode
      ? [`${file.path} has ${lines} lines of code; ${LIMITS.linesOfCode} are allowed.`]
      : []),
    ...(/(?::|\bas|<)\s*any\b|\bany\[\]/.test(withoutStrings(file.code)) ? [`${file.path} uses any.`] : []),
    ...OPAQUE.filter(({ pattern }) => pattern.test(file.code)).map(({ what }) => `${file.path} uses ${what}.`),
  ];
}

function withoutStrings(code: string): string {
  return code.replace(/'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\[\s\S]|[^`\\])*`/g, "''");
}

function folderBreaches(files: readonly SourceFile[]): string[] {
  const folders = Map.groupBy(files, (file) => dirname(file.path));
  return [...folders]
    .filter(([, inside]) => inside.length > LIMITS.filesPerFolder)
    .map(([folder, inside]) => `${folder}/ has ${inside.length} files; ${LIMITS.filesPerFolder} are allowed.`);
}

/** Each circle of imports between files once, type imports included. */
function cycles(files: readonly SourceFile[]): string[][] {
  const graph = new Map(files.map((file) => [file.path, targets(file)]));
  const done = new Set<string>();
  const found: string[][] = [];
  const walk = (path: string, way: readonly string[]): void => {
    const start = way.indexOf(path);
    if (start !== -1) found.push([...way.slice(start), path]);
    if (start !== -1 || done.has(path)) return;
    for (const next of graph.get(path) ?? []) walk(next, [...way, path]);
    done.add(path);
  };
  for (const path of graph.keys()) walk(path, []);
  return found;
}

/** A worker's URL is no circle: the worker is another thread's beginning. */
function targets(file: SourceFile): string[] {
  return file.imports
    .filter(({ specifier, form }) => specifier.startsWith('.') && form !== 'url')
    .map(({ specifier }) => posix.normalize(posix.join(dirname(file.path), specifier)));
}
