import { attention, broken, type Check, ok } from '../../../core/check.ts';
import type { SecretsClient } from '../client.ts';
import type { SecretSettings } from '../options.ts';
import { recordOf } from '../secret-name.ts';

/** Pages of 100 that are looked through. */
const MAX_PAGES = 20;

/** At most so many are named one by one. */
const MAX_NAMED = 5;

/** How many records there are, and which of them AWS is about to delete. */
export async function examineScheduled(
  client: SecretsClient,
  { prefix, deletion }: SecretSettings,
  region: string,
): Promise<Check[]> {
  const { names } = await client.list(`${prefix}/`, undefined);
  const count = names.filter((name) => recordOf(prefix, name) !== null).length;
  const found = await scheduledUnder(client, prefix);
  const records = `${count === 100 ? 'at least 100' : count} under ${prefix}/ in ${region}`;
  if (found.length === 0) return [ok('records', records)];
  if (deletion !== 'immediate') {
    return [
      ok(
        'records',
        `${records}; ${found.length} scheduled for deletion, by Keyturn or others, may be restored until their window ends`,
      ),
    ];
  }
  // With immediate deletion Keyturn never schedules any, so it was somebody else.
  return found.slice(0, MAX_NAMED).map(({ name, deletedAt }) => {
    const fix = `aws secretsmanager restore-secret --secret-id ${name} --region ${region}`;
    const evidence = `${name} is scheduled for deletion since ${deletedAt.toISOString().slice(0, 10)}, and not by Keyturn`;
    const isRecord = recordOf(prefix, name) !== null;
    return (isRecord ? broken : attention)('records', evidence, fix);
  });
}

async function scheduledUnder(client: SecretsClient, prefix: string) {
  const found: { name: string; deletedAt: Date }[] = [];
  let token: string | undefined;
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const { secrets, next } = await client.scheduled(`${prefix}/`, token);
    found.push(...secrets);
    if (next === undefined || next === '') break;
    token = next;
  }
  return found;
}
