import { join } from 'node:path';
import { KeyturnError } from '../../../core/errors.ts';
import { newId } from '../../../core/ids.ts';
import { postToSocket } from '../../api/socket.ts';
import type { Context } from '../../context.ts';
import { EXIT } from '../../terminal/exit.ts';
import { versionNumber } from '../../terminal/version-number.ts';

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
  /** False when nothing of that name is known, null when that can't be told. */
  readonly known: boolean | null;
  readonly unreached: readonly string[];
}

/** A server that hangs must not keep the others' answers from being told, milliseconds. */
const PATIENCE_MS = 10_000;

/** Exit code 10 when what was meant may go on: a server was not reached by a freeze in journals, or the name is unknown. */
export default async function freeze(context: Context, options: Options, credential?: string): Promise<number> {
  const json = { ...targetOf(options, credential), reason: oneLine(options.reason ?? '') || 'none given' };
  const frozen = options.socket === undefined ? await tellAll(context, json) : await tellSocket(context, options, json);
  context.terminal.result(frozen, [
    `Frozen: ${frozen.target} ${frozen.subject} (${frozen.hold}), ${restOf(frozen)}.`,
    ...frozen.unreached.map((server) => `Not reached: ${server}`),
  ]);
  if (frozen.known === false) {
    context.terminal.warn(`The server knows no ${frozen.target} ${frozen.subject}. Is that the name that you meant?`);
  }
  context.terminal.note(`To lift it, two persons run: keyturn thaw ${frozen.hold}`);
  if (frozen.durable === 'ledger' || frozen.unreached.length === 0) return frozen.known === false ? EXIT.attention : 0;
  context.terminal.note(
    'A server that was not reached releases what it can until it hears of this: stop it, or freeze on its own host with --socket.',
  );
  return EXIT.attention;
}

/** What was pasted in a hurry: a freeze does not fail because of a line end, a tab, or what stands where it is cut. */
function oneLine(reason: string): string {
  const line = reason.replaceAll(/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\ufeff]+/gu, ' ');
  return line
    .trim()
    .slice(0, 500)
    .replace(/\p{Cs}$/u, '')
    .trim();
}

function restOf({ durable, unreached }: Frozen): string {
  if (durable === 'journal') return 'in the emergency journal: the ledger did not answer';
  return unreached.length === 0 ? 'on the ledger' : 'on the ledger, which stops every server of it';
}

/**
 * One freeze to every server, under one id. The ledger stops them all; while it is down each stops for itself, so it
 * counts who was told.
 */
async function tellAll(context: Context, json: object): Promise<Frozen> {
  const api = await context.api();
  const call = { method: 'POST', path: '/v1/holds', json: { ...json, hold: newId('hold') } } as const;
  const told = await api.everyServer({ ...call, timeoutMs: PATIENCE_MS });
  const answers = told.flatMap((one) => ('answer' in one ? [one.answer as Frozen] : []));
  const best = answers.find(({ durable }) => durable === 'ledger') ?? answers[0];
  const failed = told.flatMap((one) => ('error' in one ? [one] : []));
  if (best !== undefined) return { ...best, unreached: failed.map(({ server }) => server) };
  throw failed.find(({ error }) => error.code !== 'server_unreachable')?.error ?? failed[0]?.error ?? noServer();
}

function noServer(): KeyturnError {
  return new KeyturnError('connection_file_invalid', 'The connection file names no server.', {
    fix: 'On the host of a server: keyturn freeze --socket.',
  });
}

async function tellSocket(context: Context, { socket }: Options, json: object): Promise<Frozen> {
  const path = socket === true || socket === undefined ? await socketOf(context.home) : socket;
  return (await postToSocket(path, '/v1/holds', json)) as Frozen;
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
