import { join } from 'node:path';
import { KeyturnError } from '../../../core/errors.ts';
import { postToSocket } from '../../api/socket.ts';
import type { Context } from '../../context.ts';

interface Options {
  readonly version?: string;
  readonly principal?: string;
  readonly host?: string;
  readonly store?: string;
  readonly socket?: string | true;
  readonly reason?: string;
}

interface Frozen {
  readonly hold: string;
  readonly target: string;
  readonly subject: string;
  readonly durable: 'ledger' | 'journal';
  readonly unreached: readonly string[];
}

export default async function freeze(context: Context, options: Options, credential?: string): Promise<void> {
  const json = { ...targetOf(options, credential), reason: options.reason ?? 'none given' };
  const frozen = (await place(context, options.socket, json)) as Frozen;
  const rest = frozen.durable === 'ledger' ? 'on the ledger' : 'in the emergency journal: the ledger did not answer';
  context.terminal.result(frozen, [
    `Frozen: ${frozen.target} ${frozen.subject} (${frozen.hold}), ${rest}.`,
    ...frozen.unreached.map((server) => `Not reached: ${server}`),
  ]);
  context.terminal.note(`To lift it, two persons run: keyturn thaw ${frozen.hold}`);
}

async function place(context: Context, socket: Options['socket'], json: object): Promise<unknown> {
  if (socket === undefined) return (await context.api()).call({ method: 'POST', path: '/v1/holds', json });
  return postToSocket(socket === true ? await socketOf(context.home) : socket, '/v1/holds', json);
}

/** As configured; where init puts it when the configuration can't be read, since a freeze must not wait for that. */
async function socketOf(home: string): Promise<string> {
  const { loadConfig } = await import('../../../compose/config.ts');
  return loadConfig(home).then(
    (config) => config.socket,
    () => join(home, 'run', 'keyturn.sock'),
  );
}

function targetOf(options: Options, credential: string | undefined) {
  const given = [
    ...(options.principal === undefined ? [] : [{ target: 'principal', subject: options.principal }]),
    ...(options.host === undefined ? [] : [{ target: 'host', subject: options.host }]),
    ...(options.store === undefined ? [] : [{ target: 'store', subject: options.store }]),
    ...(credential === undefined
      ? []
      : options.version === undefined
        ? [{ target: 'credential', subject: credential }]
        : [{ target: 'version', subject: credential, version: versionNumber(options.version) }]),
  ];
  const [one] = given;
  const strayVersion = options.version !== undefined && credential === undefined;
  if (one !== undefined && given.length === 1 && !strayVersion) return one;
  throw new KeyturnError('invalid_input', 'Name exactly one thing to freeze.', {
    fix: 'keyturn freeze CREDENTIAL [--version N], or --principal, --host or --store alone.',
  });
}

function versionNumber(text: string): number {
  const version = Number(text);
  if (Number.isInteger(version) && version >= 1) return version;
  throw new KeyturnError('invalid_input', 'A version is a whole number from 1.', {
    fix: 'See the versions there are: keyturn credential show CREDENTIAL',
  });
}
