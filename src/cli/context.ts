import { resolve } from 'node:path';
import { Api, type Whereabouts } from './api/api.ts';
import { Terminal } from './terminal/terminal.ts';

/** Options that every command takes. */
export interface GlobalOptions {
  readonly home?: string;
  readonly connection?: string;
  readonly tokenFile?: string;
  readonly json?: boolean;
}

/** What a command works with. */
export interface Context {
  readonly home: string;
  readonly where: Whereabouts;
  readonly terminal: Terminal;
  /** Opens the server's API with the token; closed when the command ends. */
  readonly api: () => Promise<Api>;
}

export const DEFAULT_HOME = '.keyturn';

/** Runs one command: opens what it asks for, closes it, turns an error into a message and an exit code. */
export async function run(options: GlobalOptions, command: (context: Context) => Promise<unknown>): Promise<void> {
  const home = resolve(options.home ?? process.env['KEYTURN_HOME'] ?? DEFAULT_HOME);
  const terminal = new Terminal({ json: options.json ?? false });
  const where: Whereabouts = {
    home,
    ...(options.connection === undefined ? {} : { connection: options.connection }),
    ...(options.tokenFile === undefined ? {} : { tokenFile: options.tokenFile }),
  };
  const opened: Api[] = [];
  const api = async () => {
    const one = await Api.open(where);
    opened.push(one);
    return one;
  };
  try {
    const code = await command({ home, where, terminal, api });
    process.exitCode = typeof code === 'number' ? code : 0;
  } catch (error) {
    process.exitCode = terminal.fail(error);
  } finally {
    for (const one of opened) one.close();
  }
}
