import { attention, broken, type Check, ok } from '../../../core/check.ts';
import type { SecretsClient } from '../client.ts';
import { commandsFor, type InWindow, inWindow, writerOf } from '../in-window.ts';
import type { SecretSettings } from '../options.ts';
import { recordOf } from '../secret-name.ts';

/** Pages of 100 that are looked through. */
const MAX_PAGES = 20;

/** At most so many are named one by one. */
const MAX_NAMED = 5;

/** How many records there are, and which of them AWS is about to delete. */
export async function examineScheduled(
  client: SecretsClient,
  { prefix, deletion, instance }: SecretSettings,
  region: string,
): Promise<Check[]> {
  const { names } = await client.list(`${prefix}/`, undefined);
  const count = names.filter((name) => recordOf(prefix, name) !== null).length;
  const found = await scheduledUnder(client, prefix, instance);
  const records = `${count === 100 ? 'at least 100' : count} under ${prefix}/ in ${region}`;
  // With a recovery window those that a Keyturn wrote may well be what was destroyed; with none it never schedules any.
  const [expected, odd] = [
    found.filter((each) => isExpected(each, deletion)),
    found.filter((each) => !isExpected(each, deletion)),
  ];
  const some =
    expected.length === 0 ? '' : `; ${expected.length} scheduled for deletion may be restored until their window ends`;
  const told = odd.slice(0, MAX_NAMED).map((each) => checkOf(each, prefix, region));
  return told.length > 0 ? told : [ok('records', `${records}${some}`)];
}

function isExpected({ writer }: InWindow, deletion: SecretSettings['deletion']): boolean {
  return deletion !== 'immediate' && (writer === 'this instance' || writer === 'a Keyturn');
}

/** A record of ours is about to be lost; anything else takes its name until then. */
function checkOf(found: InWindow, prefix: string, region: string): Check {
  const { name, deletedDate, writer } = found;
  const { restore, look, free } = commandsFor(name, region);
  const evidence = `${name} is scheduled for deletion (${deletedDate}): ${writerOf(found)}`;
  if (writer === 'another instance') {
    return attention('records', evidence, `Give each instance a prefix of its own; what brings it back: ${restore}`);
  }
  if (writer === 'somebody else' || recordOf(prefix, name) === null) {
    const taken = `${evidence}; its name is taken until then`;
    return attention('records', taken, `${look}; to have it free at once, for good: ${free}`);
  }
  return broken('records', `${evidence}, and somebody else scheduled it: ours deletes at once`, restore);
}

async function scheduledUnder(client: SecretsClient, prefix: string, instance: string | null): Promise<InWindow[]> {
  const found: InWindow[] = [];
  let token: string | undefined;
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const { secrets, next } = await client.scheduled(`${prefix}/`, token);
    found.push(...secrets.map((each) => inWindow(each.name, each, instance)));
    if (next === undefined || next === '') break;
    token = next;
  }
  return found;
}
