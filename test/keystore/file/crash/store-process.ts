/**
 * A process of its own that has a store open and does what it is told, to be killed and disturbed. Arguments: path of
 * the store, path of the master key file. Takes one command a line, answers each with one line; answers are written
 * synchronously, so what was answered was answered before the process died.
 */
import { createHash } from 'node:crypto';
import { writeSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { createInterface } from 'node:readline';
import { isKeyturnError } from '../../../../src/core/errors.ts';
import { SecretBytes } from '../../../../src/core/secret-bytes.ts';
import { openFileStore } from '../../../../src/keystore/file/file-store.ts';
import { keyFile } from '../../../../src/keystore/file/master/key-file.ts';
import { contentOf } from './content.ts';

// Who is killed leaves no cache behind otherwise.
flushCompileCache();
const store = await openFileStore({ path: process.argv[2]!, master: keyFile(process.argv[3]!) });

function say(line: string): void {
  writeSync(1, `${line}\n`);
}

async function obey(verb: string, name: string): Promise<string> {
  if (verb === 'write') await store.write(name, SecretBytes.copyOf(contentOf(name)));
  else if (verb === 'destroy') await store.destroy(name);
  else if (verb === 'rotate') await store.rotateDataKey();
  else if (verb === 'read') {
    using octets = await store.read(name);
    return octets === null ? 'absent' : createHash('sha256').update(octets.bytes).digest('hex');
  } else if (verb === 'health') return (await store.health()).ready ? 'ready' : 'not-ready';
  return 'done';
}

/** Writes, destroys and rotates without end, saying before each step what comes and after it that it is done. */
async function storm(round: string): Promise<never> {
  for (let step = 0; ; step++) {
    const steps = [`write versions/${round}/${step}`];
    if (step % 4 === 3) steps.push(`destroy versions/${round}/${step - 2}`);
    if (step % 7 === 6) steps.push('rotate -');
    for (const command of steps) {
      say(`begin ${command}`);
      const [verb, name] = command.split(' ');
      await obey(verb!, name!);
      say(`end ${command}`);
    }
  }
}

say('ready');
for await (const line of createInterface({ input: process.stdin })) {
  const [verb, name] = line.split(' ');
  if (verb === 'storm') await storm(name!);
  try {
    say(await obey(verb!, name!));
  } catch (error) {
    if (!isKeyturnError(error)) throw error;
    say(`${error.code} ${error.facts['certain'] === true ? 'certain' : 'ambiguous'}`);
  }
}
await store.close();
