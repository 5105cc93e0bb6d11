import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ServerProcess } from '../kill/server-process.ts';

/** A server that is started anew whenever it ends, as a service manager does. */
export class SoakServer {
  readonly home: string;
  readonly url: string;
  /** Checkpoints that stood outside at its deaths, and at its end. */
  readonly checkpoints: string[] = [];
  kills = 0;
  /** Ends that nobody asked for. */
  crashes = 0;
  #killing = false;
  #server = new ServerProcess();
  #stopping = false;
  #running: Promise<void> = Promise.resolve();

  constructor(home: string, url: string) {
    this.home = home;
    this.url = url;
  }

  /** Resolves when it serves for the first time. */
  async start(): Promise<void> {
    await this.#serve();
    this.#running = this.#keepUp();
  }

  /** Without a word; it is started anew at once. */
  async kill(): Promise<void> {
    this.kills += 1;
    this.#killing = true;
    await this.#server.kill();
    await this.#rememberCheckpoint();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#server.kill();
    await this.#running;
    await this.#rememberCheckpoint();
  }

  async #keepUp(): Promise<void> {
    while (!this.#stopping) {
      await this.#server.ended;
      if (this.#stopping) return;
      if (!this.#killing) this.crashes += 1;
      this.#killing = false;
      this.#server = new ServerProcess();
      await this.#serve();
    }
  }

  /** Without its database no server starts: it is tried again. */
  async #serve(): Promise<void> {
    for (let tries = 0; ; tries += 1) {
      try {
        await this.#server.serve(this.home);
        return;
      } catch (error) {
        await this.#server.kill();
        if (this.#stopping) return;
        if (tries === 60) throw error;
        await sleep(500);
        this.#server = new ServerProcess();
      }
    }
  }

  async #rememberCheckpoint(): Promise<void> {
    this.checkpoints.push(await readFile(join(this.home, 'checkpoint', 'checkpoint'), 'utf8'));
  }
}
