import { type Document, isNode, LineCounter, parseDocument, type YAMLError } from 'yaml';
import type { z } from 'zod';
import { didYouMean } from './did-you-mean.ts';
import { type Problem, pathText, quoted } from './problem.ts';
import { type PolicyFile, policyFile } from './schema.ts';

export interface PolicyText {
  /** Name without the folder. */
  readonly name: string;
  readonly text: string;
}

/** A file's content, and where in the file each part of it stands. */
export interface ReadFile {
  readonly name: string;
  readonly content: PolicyFile;
  readonly lineOf: (path: readonly PropertyKey[]) => number | null;
}

/** One file by itself: its YAML and its shape. What it refers to is checked when all files are there. */
export function readYaml({ name, text }: PolicyText): ReadFile | Problem[] {
  if (text.trim() === '') return [emptyProblem(name)];
  const lines = new LineCounter();
  const document = parseDocument(text, {
    version: '1.2',
    prettyErrors: false,
    uniqueKeys: true,
    stringKeys: true,
    lineCounter: lines,
  });
  const faults = [...document.errors, ...document.warnings];
  if (faults.length > 0) return faults.map((fault) => yamlProblem(name, fault, lines));
  const data = plain(document);
  if (data === undefined) return [aliasProblem(name)];
  const lineOf = (path: readonly PropertyKey[]) => lineIn(document, lines, path);
  const parsed = policyFile.safeParse(data ?? {}, { reportInput: true });
  if (parsed.success) return { name, content: parsed.data, lineOf };
  return parsed.error.issues.map((issue) => ({
    file: name,
    line: lineOf(issue.path),
    path: pathText(issue.path),
    ...told(issue),
  }));
}

/** Undefined when the document uses aliases: none is needed, and they can grow a small file beyond bounds. */
function plain(document: Document.Parsed): unknown {
  try {
    return document.toJS({ maxAliasCount: 0 }) ?? null;
  } catch {
    return undefined;
  }
}

/** The parser's own message may quote the file, so only its code is passed on. */
function yamlProblem(file: string, fault: YAMLError, lines: LineCounter): Problem {
  const what = fault.code === 'DUPLICATE_KEY' ? 'A member is given twice.' : `This is not valid YAML (${fault.code}).`;
  return { file, line: lines.linePos(fault.pos[0]).line, path: '', what, fix: 'Mend the line.' };
}

/** As a full disk or an editor leaves one: taken as it stands, it would take everything from everybody. */
function emptyProblem(file: string): Problem {
  const fix = 'Put back what was in it, or remove the file; that there are none is written "bindings: []".';
  return { file, line: null, path: '', what: 'It is empty.', fix };
}

function aliasProblem(file: string): Problem {
  return { file, line: null, path: '', what: 'It uses YAML aliases.', fix: 'Write each value out.' };
}

/** The line of the deepest part of `path` that exists. */
function lineIn(document: Document.Parsed, lines: LineCounter, path: readonly PropertyKey[]): number | null {
  for (let depth = path.length; depth >= 0; depth--) {
    const node = document.getIn(path.slice(0, depth), true);
    if (isNode(node) && node.range) return lines.linePos(node.range[0]).line;
  }
  return null;
}

/** What zod found, in our words. */
function told(issue: z.core.$ZodIssue): Pick<Problem, 'what' | 'fix'> {
  switch (issue.code) {
    case 'unrecognized_keys':
      return {
        what: `There is no member ${issue.keys.map(quoted).join(', ')} here.`,
        fix: didYouMean(issue.keys[0] ?? '', MEMBERS),
      };
    case 'invalid_value':
      return {
        what: typeof issue.input === 'string' ? `There is no ${quoted(issue.input)}.` : 'The value is not a known one.',
        fix: didYouMean(typeof issue.input === 'string' ? issue.input : '', issue.values.map(String)),
      };
    case 'invalid_type':
      return issue.input === undefined
        ? { what: 'It is missing.', fix: 'Add it.' }
        : { what: 'It is of another kind.', fix: `Write ${KINDS[issue.expected] ?? 'what the format page shows'}.` };
    case 'too_small':
      return { what: 'It is empty.', fix: 'Name at least one.' };
    case 'too_big':
      return { what: 'It is too long.', fix: `Keep it to ${Number(issue.maximum)}.` };
    default:
      return {
        what: typeof issue.input === 'string' ? `${quoted(issue.input)} ${issue.message}.` : `It ${issue.message}.`,
        fix: 'Correct it.',
      };
  }
}

const MEMBERS = 'roles bindings expectations name title permissions id role principals credentials expires comment'
  .concat(' principal permission credential expect at')
  .split(' ');

const KINDS: Readonly<Record<string, string>> = { string: 'a text', array: 'a list', object: 'a mapping' };
