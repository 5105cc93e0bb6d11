import { join } from 'node:path';
import { KeyturnError } from '../../../core/errors.ts';
import { callSocket } from '../../api/api.ts';
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
  const call = { method: 'POST', path: '/v1/holds', json } as const;
  const frozen = (
    options.socket === undefined
      ? await (await context.api()).call(call)
      : await callSocket(options.socket === true ? join(context.home, 'run', 'keyturn.sock') : options.socket, call)
  ) as Frozen;
  const rest = frozen.durable === 'ledger' ? 'on the ledger' : 'in the emergency journal: the ledger did not answer';
  context.terminal.result(frozen, [
    `Frozen: ${frozen.target} ${frozen.subject} (${frozen.hold}), ${rest}.`,
    ...frozen.unreached.map((server) => `Not reached: ${server}`),
  ]);
  context.terminal.note(`To lift it, two persons run: keyturn thaw ${frozen.hold}`);
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
        : [{ target: 'version', subject: credential, version: Number(options.version) }]),
  ];
  const [one] = given;
  if (one !== undefined && given.length === 1) return one;
  throw new KeyturnError('invalid_input', 'Name exactly one thing to freeze.', {
    fix: 'keyturn freeze CREDENTIAL [--version N], or --principal, --host or --store alone.',
  });
}
