import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { expect } from 'vitest';
import { TestCa } from '../../fakes/ca.ts';
import { KEYTURN, type Keyturn } from '../keyturn.ts';
import { zips } from '../upload.ts';

/** For a test that runs a dozen processes one after the other, on a busy machine; milliseconds. */
export const PROCESSES_MS = 120_000;

type Environment = Readonly<Record<string, string>>;

/** `keyturn server` while `act` goes on; it must come to listen, and end well. */
export async function whileServing(
  keyturn: Keyturn,
  environment: Environment,
  act: () => Promise<void>,
): Promise<void> {
  const env = { ...process.env, KEYTURN_HOME: keyturn.home, ...environment };
  const child = spawn(process.execPath, [KEYTURN, 'server'], { env, stdio: ['ignore', 'pipe', 'ignore'] });
  const closed = once(child, 'close');
  try {
    const lines = createInterface({ input: child.stdout });
    const [line] = (await Promise.race([once(lines, 'line'), closed.then(() => ['ended'])])) as [string];
    expect(line).toMatch(/^Listening/);
    await act();
  } finally {
    child.kill('SIGTERM');
  }
  expect(await closed).toEqual([0, null]);
}

/** A key goes into the store and is lent out of it. */
export async function useTheStore(keyturn: Keyturn): Promise<void> {
  await zips(keyturn, await TestCa.create());
  const args = ['import', 'lean/sandbox', '--zip', 'cert.zip', '--chain', 'chain.zip', '--environment', 'sandbox'];
  expect(await keyturn.run(args)).toMatchObject({ code: 0 });
}
