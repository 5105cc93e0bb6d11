import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Keyturn } from '../../cli/keyturn.ts';
import { type Cast, untilWell } from './cast.ts';

/** What people see of it at a terminal. Gives all that was printed. */
export async function useTheCli(cast: Cast, place: string, recipient: string): Promise<string> {
  const { keyturn, planted, remote } = cast;
  await using cli = await Keyturn.at(keyturn.home);
  const printed: string[] = [];
  const run = async (args: readonly string[]) => {
    const { code, out, err } = await cli.run(args);
    printed.push(`${args[0]} ${code}`, out, err);
  };
  await writeFile(join(place, 'wrong'), planted.wrongPassphrase, { mode: 0o600 });
  const path = await remote.keep('pay', { key: planted.pem('stray key'), app: planted.appToken });
  await remote.set('echoing');
  await run(['adopt', 'lean/sandbox', '--from', remote.kind, '--path', path, '--key-field', 'key']);
  await untilWell(cast);
  await run(['adopt', 'lean/sandbox', '--from', remote.kind, '--path', path, '--key-field', 'key']);
  await remote.set('echoing changes');
  await run(['store', 'migrate', '--from', 'file', '--to', remote.kind]);
  await untilWell(cast);
  const file = join(place, 'one.backup');
  const by = ['--token-file', join(place, 'backup.token')];
  await run(['backup', '--to', join(place, 'two.backup'), '--recipient', recipient, ...by]);
  await run(['backup', '--to', join(place, 'three.backup'), '--recipient', 'ktbackup_x', ...by]);
  const identity = ['--identity', join(place, 'identity'), '--home', join(place, 'b')];
  await run(['restore', file, ...identity, '--identity-passphrase-file', join(place, 'wrong')]);
  await run(['store', 'verify', '--home', join(place, 'restored')]);
  await run(['doctor']);
  return printed.join('\n');
}
