import { attention, broken, brokenBy, type Check, ok } from '../../../core/check.ts';
import { reasonOf } from '../client/reason.ts';
import { throwRefusal } from '../client/refusal.ts';
import type { VaultLink } from '../connect.ts';
import { explainDenial, missingPrivileges } from '../denial.ts';
import { checkMount } from '../kv/mount.ts';
import type { KvPath } from '../kv/path.ts';
import { type Privilege, privileges } from '../privilege.ts';
import { lineOf } from './login.ts';

/** Whether KV version 2 is mounted where the store looks. */
export async function examineMount({ client, login }: VaultLink, paths: KvPath): Promise<Check[]> {
  try {
    await checkMount(client, paths);
  } catch (error) {
    if (reasonOf(error) !== 'no_mount') throw error;
    return [
      broken(
        'mount',
        `${paths.mount}/ is mounted, but is not KV version 2`,
        `bao kv enable-versioning ${paths.mount} (who uses it as version 1 must follow), or name another mount.`,
      ),
    ];
  }
  const path = paths.folder('');
  const answer = await client.probe({ method: 'LIST', path }, true);
  if (answer.status === 403) {
    const denial = await explainDenial(client, { path, grant: `${path}*`, capability: 'list', verb: 'list' }, login);
    if (reasonOf(denial) !== 'forbidden') throw denial;
    // To a login without rights there, Vault says of a mount that there is not what it says of one that it may not see.
    const { evidence, fix } = brokenBy('mount', denial);
    return [broken('mount', evidence, `${fix}. Or name the mount that there is: bao secrets list`)];
  }
  throwRefusal(answer, path);
  return [ok('mount', `${paths.mount}/ is KV version 2; ${paths.prefix}/ may be listed`)];
}

/** For conveniences; without them records are written, read and destroyed all the same. */
const CONVENIENCES = ['mirror', 'renew'];

type Needed = Omit<Privilege, 'verb'> & { readonly verb: Privilege['verb'] | 'renew' };

/** Every capability that the store needs, held against what the token has. */
export async function examinePolicy({ client }: VaultLink, paths: KvPath): Promise<Check[]> {
  const needed: Needed[] = [
    ...privileges(paths, 'doctor/probe/1'),
    { path: 'auth/token/renew-self', capability: 'update', verb: 'renew' },
  ];
  const missing = await missingPrivileges(client, needed);
  if (missing === null) {
    const evidence = 'the token may not ask what it may do, so nothing is known of writing and destroying';
    return [attention('policy', evidence, lineOf('sys/capabilities-self', 'update'))];
  }
  if (missing.length === 0) return [ok('policy', `grants all that ${paths.prefix}/ needs`)];
  return missing.map(({ path, capability, verb }) => {
    const place = path.replace(/doctor\/probe\/1$/, '*');
    const verdict = CONVENIENCES.includes(verb) ? attention : broken;
    return verdict('policy', `lacks "${capability}" on ${place}, which ${verb} needs`, lineOf(place, capability));
  });
}
