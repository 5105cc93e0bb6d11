import { mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { HoldJournal } from '../../src/credential/hold/hold-journal.ts';
import { keepLocalSocket, openLocalSocket } from '../../src/server/local-socket.ts';
import { Stage } from '../credential/stage.ts';

let stage: Stage;
let path: string;
beforeEach(async () => {
  stage = await Stage.set();
  path = join(stage.keyturn.home, 'more', 'keyturn.sock');
});
afterEach(() => stage.strike());

function open() {
  const { desk, journal } = stage.keyturn.serving.instance;
  return openLocalSocket(path, desk, new HoldJournal(desk.ledger, journal));
}

function freezeOver(): Promise<number | string> {
  return new Promise((resolve) => {
    const headers = { 'content-type': 'application/json' };
    const outgoing = request({ socketPath: path, method: 'POST', path: '/v1/holds', headers });
    outgoing.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''));
    outgoing.on('response', (response) => resolve(response.resume().statusCode ?? 0));
    outgoing.end(JSON.stringify({ target: 'host', subject: '192.0.2.1', reason: 'test' }));
  });
}

test('a socket whose file was removed, folder and all, is made anew; what stands in its place is left alone', async () => {
  await mkdir(dirname(path));
  const server = await open();
  try {
    expect(await keepLocalSocket(server, path)).toBe(false);
    expect(await freezeOver()).toBe(201);
    for (let round = 0; round < 2; round += 1) {
      await rm(dirname(path), { recursive: true });
      expect(await freezeOver()).toBe('ENOENT');
      expect(await keepLocalSocket(server, path)).toBe(true);
      expect((await stat(path)).mode & 0o777).toBe(0o600);
      expect(await freezeOver()).toBe(201);
    }
    await rm(path);
    await writeFile(path, 'somebody else’s');
    expect(await keepLocalSocket(server, path)).toBe(false);
  } finally {
    server.close();
  }
  await rm(path, { force: true });
  expect(await keepLocalSocket(server, path)).toBe(false);
});
