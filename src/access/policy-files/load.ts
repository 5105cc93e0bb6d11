import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, systemClock } from '../../core/clock.ts';
import { Policy } from '../policy.ts';
import { unmetExpectations } from './expectations.ts';
import { type Problem, policyInvalid } from './problem.ts';
import { type PolicyText, type ReadFile, readYaml } from './read-yaml.ts';
import { resolve } from './resolve.ts';

/** Octets of one file, and files of one policy, at most. */
const MAX_FILE_LENGTH = 1_048_576;
const MAX_FILES = 100;

/**
 * Reads every `*.yaml` in `folder` (not below it; hidden files aside) as one policy and tries its expectations.
 * Whole or not at all: nothing comes into force unless everything is right.
 * @throws KeyturnError `policy_invalid`, listing file, line, place, what is wrong and what to do.
 */
export async function loadPolicy(folder: string, clock: Clock = systemClock): Promise<Policy> {
  return parsePolicy(await readFolder(folder), clock.now());
}

/** A policy from the texts of its files; `now` in milliseconds since the epoch. Throws as {@link loadPolicy}. */
export function parsePolicy(texts: readonly PolicyText[], now: number): Policy {
  const files: ReadFile[] = [];
  const problems: Problem[] = [];
  for (const text of texts) {
    const read = readYaml(text);
    if (Array.isArray(read)) problems.push(...read);
    else files.push(read);
  }
  if (problems.length > 0) throw policyInvalid(problems);
  const content = resolve(files);
  if (Array.isArray(content)) throw policyInvalid(content);
  const policy = Policy.of(content);
  const unmet = unmetProblems(policy, files, now);
  if (unmet.length > 0) throw policyInvalid(unmet);
  return policy;
}

function unmetProblems(policy: Policy, files: readonly ReadFile[], now: number): Problem[] {
  const places = files.flatMap(({ name, content, lineOf }) =>
    (content.expectations ?? []).map((_, i) => ({ name, i, line: lineOf(['expectations', i]) })),
  );
  return unmetExpectations(policy, now).map(({ index, what, fix }) => {
    const place = places[index];
    return {
      file: place?.name ?? 'the policy',
      line: place?.line ?? null,
      path: `expectations[${place?.i ?? index}]`,
      what,
      fix,
    };
  });
}

async function readFolder(folder: string): Promise<PolicyText[]> {
  const names = await listFolder(folder);
  const misnamed = names.filter((name) => /\.ya?ml$/i.test(name) && !name.endsWith('.yaml'));
  if (misnamed.length > 0) {
    const what = 'It would not be read.';
    throw policyInvalid(misnamed.map((file) => fileProblem(file, what, 'Give it a name that ends in ".yaml".')));
  }
  const wanted = names.filter((name) => name.endsWith('.yaml'));
  if (wanted.length === 0 || wanted.length > MAX_FILES) {
    const what = `There are ${wanted.length} policy files in it.`;
    throw policyInvalid([fileProblem(folder, what, `Name a folder with 1 to ${MAX_FILES} files that end in ".yaml".`)]);
  }
  return Promise.all(wanted.map((name) => readOne(folder, name)));
}

async function listFolder(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => !name.startsWith('.')).sort();
  } catch {
    throw policyInvalid([
      fileProblem(folder, 'It is not a folder that can be read.', 'Name the folder of the policy.'),
    ]);
  }
}

async function readOne(folder: string, name: string): Promise<PolicyText> {
  let octets: Buffer;
  try {
    octets = await readFile(join(folder, name));
  } catch {
    throw policyInvalid([fileProblem(name, 'It can not be read.', 'Make it a file that the server may read.')]);
  }
  if (octets.length > MAX_FILE_LENGTH) {
    throw policyInvalid([fileProblem(name, 'It is too large.', 'Split it; a file may have 1 MiB.')]);
  }
  try {
    return { name, text: new TextDecoder('utf-8', { fatal: true }).decode(octets) };
  } catch {
    throw policyInvalid([fileProblem(name, 'It is not UTF-8.', 'Save it as UTF-8.')]);
  }
}

function fileProblem(file: string, what: string, fix: string): Problem {
  return { file, line: null, path: '', what, fix };
}
