import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';

/** What one process has written on standard error that logs a request and then does something. */
async function logged(then: string): Promise<string[]> {
  const log = new URL('../../../src/server/log/server-log.ts', import.meta.url).href;
  const program = `
    import { ServerLog } from ${JSON.stringify(log)};
    const log = new ServerLog();
    log.request({ id: 'request_1', operation: 'whoami', status: 200, outcome: 'ok', seconds: 0.001 });
    ${then}
  `;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const [written] = await Promise.all([text(child.stderr), once(child, 'close')]);
  const lines = written.split('\n').filter((line) => line.startsWith('{"level"'));
  return lines.map((line) => String((JSON.parse(line) as { event: string }).event));
}

const KILLED = "process.kill(process.pid, 'SIGKILL');";

test.each([
  ['nothing more', '', ['request']],
  ['it ends', 'process.exit(4);', ['request']],
  ['nobody catches an error', "setTimeout(() => { throw new Error('x'); });", ['request']],
  ['an event comes, and it is killed', `log.notice('listening'); ${KILLED}`, ['request', 'listening']],
  ['it is told to write the rest, and is killed', `log.end(); ${KILLED}`, ['request']],
  ['it is killed at once', KILLED, []],
  ['it is killed after a while', `setTimeout(() => { ${KILLED} }, 600);`, ['request']],
])('the line of a request, when after it %s', async (_, then, expected) => {
  expect(await logged(then)).toEqual(expected);
});
