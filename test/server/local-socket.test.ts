import { mkdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { dirname, join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { HoldJournal } from '../../src/credential/hold/hold-journal.ts';
import { LocalSocket } from '../../src/server/local-socket.ts';
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
  return LocalSocket.open(path, desk, new HoldJournal(desk.ledger, journal));
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
  const socket = await open();
  try {
    expect(await socket.keep()).toBe(false);
    expect(await freezeOver()).toBe(201);
    for (let round = 0; round < 2; round += 1) {
      await rm(dirname(path), { recursive: true });
      expect(await freezeOver()).toBe('ENOENT');
      expect(await socket.keep()).toBe(true);
      expect((await stat(path)).mode & 0o777).toBe(0o600);
      expect(await freezeOver()).toBe(201);
    }
    await rm(path);
    await writeFile(path, 'somebody else’s');
    expect(await socket.keep()).toBe(false);
  } finally {
    await socket.leave();
    socket.server.close();
  }
  await rm(path, { force: true });
  expect(await socket.keep()).toBe(false);
});

test('one that could not be made anew is tried again, until it is', async () => {
  const socket = await open();
  try {
    await rm(dirname(path), { recursive: true });
    // Nobody can make a socket there, whoever they are.
    await symlink('/proc/self', dirname(path));
    for (let round = 0; round < 2; round += 1) {
      await expect(socket.keep()).rejects.toMatchObject({ code: 'config_invalid' });
    }
    await rm(dirname(path));
    expect(await socket.keep()).toBe(true);
    expect(await freezeOver()).toBe(201);
  } finally {
    socket.server.close();
  }
});

test('a server that ends while its socket is made anew leaves none that listens', async () => {
  for (let turns = 0; turns < 12; turns += 1) {
    const socket = await open();
    await rm(path);
    const kept = socket.keep();
    for (let turn = 0; turn < turns; turn += 1) await nextTurn();
    await socket.leave();
    await new Promise((resolve) => socket.server.close(resolve));
    await kept;
    expect([socket.server.listening, await socket.keep()]).toEqual([false, false]);
    expect(await freezeOver()).toBe('ENOENT');
  }
});
