import { type ChildProcess, spawn } from 'node:child_process';
import { type KeyObject, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, type Stats, statSync } from 'node:fs';
import { copyFile, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { newIdentity, openIdentity } from '../../../src/backup/identity.ts';
import { cannotAsk } from '../../../src/compose/master-key.ts';
import { type Restored, type RestoreOptions, restoreBackup } from '../../../src/compose/restore/restore.ts';
import { KEYTURN } from '../../cli/keyturn.ts';
import { edit, TestInstance } from '../instance.ts';
import { ServerProcess } from '../kill/server-process.ts';

/** Entries that make the ledger large enough for a backup to take a while, and the size of each, octets. */
const ENTRIES = 2000;
const ENTRY_OCTETS = 12_000;
const FILE = 'nightly.backup';

/** A command under way. */
export interface Command {
  readonly child: ChildProcess;
  /** Exit code, null for one that was killed, and all that it printed on standard error. */
  readonly ended: Promise<{ code: number | null; err: string }>;
}

/** An instance with a large ledger, its server in a process that can be killed, and a place for backups. */
export class BackupScene implements AsyncDisposable {
  readonly home: string;
  readonly place: string;
  readonly ledgerOctets: number;
  readonly #recipient: string;
  readonly #identity: KeyObject;
  #server = new ServerProcess();
  #spare = new ServerProcess();
  #restores = 0;

  private constructor(parts: {
    readonly home: string;
    readonly place: string;
    readonly ledgerOctets: number;
    readonly recipient: string;
    readonly identity: KeyObject;
  }) {
    this.home = parts.home;
    this.place = parts.place;
    this.ledgerOctets = parts.ledgerOctets;
    this.#recipient = parts.recipient;
    this.#identity = parts.identity;
  }

  static async make(): Promise<BackupScene> {
    const place = await mkdtemp(join(tmpdir(), 'kt-backups-'));
    const { file, recipient } = await newIdentity(null);
    await writeFile(join(place, 'identity'), file.bytes, { mode: 0o600 });
    const identity = await openIdentity(file.bytes, () => cannotAsk('a passphrase'));
    const made = await TestInstance.start();
    await edit(join(made.home, 'keyturn.yaml'), (config) => ({ ...config, backup: { recipients: [recipient] } }));
    await made.restart();
    const token = await made.grant('service:backup', 'backup', { credentials: ['**'] });
    await writeFile(join(place, 'token'), token, { mode: 0o600 });
    await copyFile(join(made.home, 'master', 'master.key'), join(place, 'master.key'));
    const { ledger } = made.serving.instance.desk;
    await Promise.all(
      Array.from({ length: ENTRIES }, () => {
        const data = { note: randomBytes(ENTRY_OCTETS / 2).toString('hex') };
        return ledger.commit({ entry: { kind: 'test.noted', actor: 'system', data } });
      }),
    );
    await made.serving.stop();
    const { size: ledgerOctets } = await stat(join(made.home, 'ledger', 'ledger.db'));
    return new BackupScene({ home: made.home, place, ledgerOctets, recipient, identity });
  }

  get file(): string {
    return join(this.place, FILE);
  }

  /** A server of this instance, its code loaded beforehand. */
  async serve(): Promise<ServerProcess> {
    this.#server = this.#spare;
    if ((await this.#server.serve(this.home)) === null) throw new Error('The server ended by itself.');
    this.#spare = new ServerProcess();
    return this.#server;
  }

  backup(): Command {
    return this.#command(['backup', '--to', this.file, '--recipient', this.#recipient]);
  }

  /** `keyturn restore` of the backup, into a folder of this place. */
  restoring(name: string): Command {
    const opened = ['--identity', join(this.place, 'identity'), '--master-key-file', join(this.place, 'master.key')];
    return this.#command(['restore', this.file, ...opened, '--accept-loss'], join(this.place, name));
  }

  #command(args: readonly string[], home = this.home): Command {
    const env = { ...process.env, KEYTURN_HOME: home, KEYTURN_TOKEN_FILE: join(this.place, 'token'), NO_COLOR: '1' };
    const child = spawn(process.execPath, [KEYTURN, ...args], { env, stdio: ['ignore', 'ignore', 'pipe'] });
    const closed = once(child, 'close') as Promise<[number | null]>;
    return { child, ended: Promise.all([closed, text(child.stderr)]).then(([[code], err]) => ({ code, err })) };
  }

  /** Folders with copies of the ledger that lie in the instance: of a backup under way, or left of one. */
  copies(): string[] {
    const folder = join(this.home, 'ledger');
    return readdirSync(folder)
      .filter((name) => name.startsWith('.'))
      .map((name) => join(folder, name));
  }

  /** Octets of the ledger that have been copied; null before there is a folder for them. */
  copied(): number | null {
    const [folder] = this.copies();
    return folder === undefined ? null : (statOf(join(folder, 'ledger.db'))?.size ?? 0);
  }

  /** What lies where backups are put, under the name that was asked for or one like it. */
  files(): string[] {
    return readdirSync(this.place)
      .filter((name) => name.includes(FILE))
      .map((name) => join(this.place, name));
  }

  /** Folders that restores into `name` work in, or have left. */
  stagings(name: string): string[] {
    return readdirSync(this.place)
      .filter((each) => each.startsWith(`${name}.`))
      .map((each) => join(this.place, each));
  }

  /** Octets that have arrived of a backup. */
  received(): number {
    return Math.max(0, ...this.files().map((path) => statOf(path)?.size ?? 0));
  }

  /** Modes of the copies, and of everything in them, that let others in. */
  openToOthers(): string[] {
    const all = this.copies().flatMap((folder) => [folder, ...readdirSync(folder).map((name) => join(folder, name))]);
    return [...all, ...this.files()].filter((path) => ((statOf(path)?.mode ?? 0) & 0o077) !== 0);
  }

  /** What a restore makes of a file. */
  async restore(file: string, more: Partial<RestoreOptions> = {}): Promise<Restored> {
    this.#restores += 1;
    return restoreBackup({
      file,
      identity: this.#identity,
      home: join(this.place, `restored-${this.#restores}`),
      ask: cannotAsk,
      masterKeyFile: join(this.place, 'master.key'),
      acceptLoss: true,
      ...more,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.kill();
    await this.#spare.kill();
    await rm(this.home, { recursive: true, force: true });
    await rm(this.place, { recursive: true, force: true });
  }
}

/** Looks again and again, as often as the loop turns; false when it was over before. */
export async function reached(when: () => boolean, over: Promise<unknown>): Promise<boolean> {
  let ended = false;
  void over.then(() => {
    ended = true;
  });
  for (let turn = 0; !ended; turn += 1) {
    if (when()) return true;
    await (turn % 16 === 0 ? pause(1) : new Promise(setImmediate));
  }
  return false;
}

/** Null for what has gone meanwhile. */
function statOf(path: string): Stats | null {
  return statSync(path, { throwIfNoEntry: false }) ?? null;
}
