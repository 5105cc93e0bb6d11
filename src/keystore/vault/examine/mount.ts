import { attention, broken, brokenBy, type Check, ok } from '../../../core/check.ts';
import { answerObject, objectAt, textAt } from '../client/answer.ts';
import { reasonOf } from '../client/reason.ts';
import { throwRefusal } from '../client/refusal.ts';
import type { VaultLink } from '../connect.ts';
import { explainDenial, missingPrivileges } from '../denial.ts';
import { checkMount } from '../kv/mount.ts';
import type { KvPath } from '../kv/path.ts';
import { type Privilege, privileges } from '../privilege.ts';
import { lineOf } from './login.ts';

/** Whether KV version 2 is mounted where the store looks. */
export async function examineMount(link: VaultLink, paths: KvPath): Promise<Check[]> {
  const { client, login } = link;
  await checkMount(client, paths);
  const path = paths.folder('');
  const answer = await client.probe({ method: 'LIST', path }, true);
  if (answer.status === 403) {
    const denial = await explainDenial(client, { path, grant: `${path}*`, capability: 'list', verb: 'list' }, login);
    if (reasonOf(denial) !== 'forbidden') throw denial;
    // To a login without rights there, Vault says of a mount that there is not what it says of one that it may not see.
    const { evidence, fix } = brokenBy('mount', denial);
    const mend = `${fix.replace(/\.$/, '')}. Or name the mount that there is: bao secrets list`;
    const elsewhere = await namespaceOfToken(link);
    if (elsewhere === null) return [broken('mount', evidence, mend)];
    const there = 'Log in there, under a policy of there: bao token create -policy=keyturn';
    return [broken('mount', `${evidence}; ${elsewhere}`, `${there}. ${mend}`)];
  }
  throwRefusal(answer, path);
  return [ok('mount', `${paths.mount}/ is KV version 2; ${paths.prefix}/ may be listed`)];
}

/**
 * A policy counts in the namespace that it was written in, so that a token of another may do nothing here. Vault leaves the
 * root namespace out of what it says of a token. Null where both are the same, or nothing is known.
 */
async function namespaceOfToken({ client, settings: { namespace } }: VaultLink): Promise<string | null> {
  const looked = await client.probe({ method: 'GET', path: 'auth/token/lookup-self' }, true);
  if (looked.status !== 200) return null;
  const theirs = (textAt(objectAt(answerObject(looked.octets), 'data'), 'namespace_path') ?? '').replace(/\/$/, '');
  const ours = (namespace?.value ?? '').replace(/^\/|\/$/g, '');
  if (theirs === ours || !/^[\w./-]{0,200}$/.test(theirs)) return null;
  const of = (name: string) => (name === '' ? 'the root namespace' : `the namespace ${name}`);
  return `the token is of ${of(theirs)}, and the store in ${of(ours)}`;
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
