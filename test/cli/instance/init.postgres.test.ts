import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { PostgresCluster } from '../../fakes/postgres/cluster.ts';
import { Keyturn } from '../keyturn.ts';

test('init begins the ledger in the database that is named, and its password stands nowhere', async () => {
  await using cluster = await PostgresCluster.start();
  const { host, port, database, user, passwordFile = '' } = await cluster.database();
  const keyturn = await Keyturn.at();
  try {
    const named = { host, port, database, user, schema: 'payments', 'password-file': passwordFile };
    const options = Object.entries(named).flatMap(([name, value]) => [`--postgres-${name}`, String(value)]);
    const ran = await keyturn.run(['init', '--admin', 'alice', '--port', '0', ...options]);
    expect(ran).toMatchObject({ code: 0 });
    expect(ran.out).toContain(`postgres://${user}@${host}:${port}/${database}`);
    const text = await readFile(join(keyturn.home, 'keyturn.yaml'), 'utf8');
    expect(parse(text)).toMatchObject({ ledger: { postgres: named } });
    expect(ran.out + ran.err + text).not.toContain((await readFile(passwordFile, 'utf8')).trim());
    const { checks } = await keyturn.json<{ checks: object[] }>(['doctor'], 1);
    expect(checks).toContainEqual(expect.objectContaining({ name: 'ledger schema', verdict: 'ok' }));
    // The server takes its place in the database, not in a file.
    expect(await keyturn.json(['store', 'verify'])).toMatchObject({ matchesLedger: true });
  } finally {
    await keyturn[Symbol.asyncDispose]();
  }
});
