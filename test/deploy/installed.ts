import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  globSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { buildServer } from '../../scripts/build.mjs';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Who the server runs as where the tests may choose: nobody's, as in the container. */
const USER = 65_532;
const AS = process.getuid?.() === 0 ? { uid: USER, gid: USER } : {};

interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** The package `keyturn` as a machine has it that never saw the sources: built, packed, unpacked, dependencies beside it. */
export class Installed implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'keyturn-installed-'));
  /** Of the package. It is not the user's who runs it. */
  readonly root = join(this.folder, 'keyturn');
  /** A folder of the user's own. */
  readonly state = join(this.folder, 'state');
  readonly #node = join(this.folder, 'node');

  constructor() {
    const built = join(this.folder, 'built');
    buildServer(built);
    const env = { ...process.env, HOME: this.folder, npm_config_cache: join(this.folder, '.npm') };
    const packed = execFileSync('npm', ['pack', '--silent', '--pack-destination', this.folder], { cwd: built, env });
    mkdirSync(this.root);
    const tarball = join(this.folder, packed.toString('utf8').trim());
    execFileSync('tar', ['-xzf', tarball, '-C', this.root, '--strip-components=1', '--no-same-owner']);
    rmSync(built, { recursive: true });
    this.#installDependencies();
    cpSync(process.execPath, this.#node);
    mkdirSync(this.state, { mode: 0o700 });
    if (AS.uid !== undefined) chownSync(this.state, AS.uid, AS.gid);
    chmodSync(this.folder, 0o755);
    execFileSync('chmod', ['-R', 'a-w,a+rX', this.root]);
  }

  /** What `npm ci --omit=dev` would fetch by the package's own lock, out of this checkout's node_modules. */
  #installDependencies(): void {
    const lock = JSON.parse(readFileSync(join(this.root, 'npm-shrinkwrap.json'), 'utf8')) as {
      packages: Record<string, unknown>;
    };
    for (const place of Object.keys(lock.packages).filter((each) => each !== '')) {
      const from = join(ROOT, place);
      // The lock names these by themselves. With a filter Node copies file by file, in twice the time.
      const beside = join(from, 'node_modules');
      const filter = existsSync(beside) ? { filter: (path: string) => path !== beside } : {};
      cpSync(from, join(this.root, place), { recursive: true, ...filter });
    }
  }

  /** Every file of it, with size and time of its last change. */
  listing(): string[] {
    const files = globSync('**/*', { cwd: this.root }).sort();
    return files.map((path) => {
      const { size, mtimeMs } = lstatSync(join(this.root, path));
      return `${path} ${size} ${mtimeMs}`;
    });
  }

  /** `node` with these arguments, as another user than the package's and with nothing of our environment. */
  start(args: readonly string[]) {
    const env = { PATH: '/usr/bin:/bin', KEYTURN_HOME: join(this.state, 'home'), NODE_ENV: 'production' };
    return spawn(this.#node, args, { cwd: this.state, env, ...AS, stdio: ['ignore', 'pipe', 'pipe'] });
  }

  async run(args: readonly string[]): Promise<Ran> {
    const child = this.start(args);
    const [out, err, [code]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'close') as Promise<[number | null]>,
    ]);
    return { code, out, err };
  }

  /** Resolves when it listens. */
  async serve(args: readonly string[]): Promise<Running> {
    const child = this.start(args);
    const closed = once(child, 'close') as Promise<[number | null, string | null]>;
    const log = text(child.stderr);
    const lines = createInterface({ input: child.stdout });
    const first = await Promise.race([once(lines, 'line'), closed.then(() => null)]);
    const url = /https:\S+/.exec(String(first?.[0]))?.[0];
    if (url === undefined) throw new Error(`The server did not start: ${await log}`);
    const stop = async () => {
      child.kill('SIGTERM');
      return closed;
    };
    return { url, pid: child.pid ?? 0, stop };
  }

  [Symbol.dispose](): void {
    execFileSync('chmod', ['-R', 'u+w', this.folder]);
    rmSync(this.folder, { recursive: true });
  }
}

export interface Running {
  readonly url: string;
  readonly pid: number;
  /** By SIGTERM. Exit code and signal. */
  readonly stop: () => Promise<[number | null, string | null]>;
}
