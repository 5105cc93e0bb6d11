import { resolve } from 'node:path';
import { MAX_IDENTITY_OCTETS, openIdentity } from '../../../backup/identity.ts';
import { readConnection } from '../../../client/connection-file.ts';
import type { Loss } from '../../../compose/restore/loss.ts';
import { readPrivateFile } from '../../../compose/restore/private-file.ts';
import { type Restored, restoreBackup } from '../../../compose/restore/restore.ts';
import { KeyturnError } from '../../../core/errors.ts';
import type { Context } from '../../context.ts';
import { EXIT } from '../../terminal/exit.ts';
import { askSecret, secretFrom } from '../../terminal/prompt.ts';
import type { Terminal } from '../../terminal/terminal.ts';

interface Options {
  readonly identity?: string;
  readonly identityPassphraseFile?: string;
  readonly masterKeyFile?: string;
  readonly checkpoint?: string;
  readonly tail?: string;
  readonly journal?: string;
  readonly key?: string[];
  readonly generation?: string;
  readonly admin?: string;
  readonly trustBackup?: boolean;
  readonly acceptLoss?: boolean;
  readonly freezeAll?: boolean;
}

/** Lost entries that are shown to people; --json has all. */
const SHOWN = 40;

/** Exit code 10 when something was lost: somebody has to look after it. */
export default async function restore(
  { home, where, terminal }: Context,
  options: Options,
  file: string,
): Promise<number> {
  if (options.identity === undefined) {
    throw new KeyturnError('invalid_input', 'A backup opens with an identity.', {
      fix: 'Give --identity with the file that keyturn backup keygen made.',
    });
  }
  using octets = await readPrivateFile(options.identity, MAX_IDENTITY_OCTETS);
  const identity = await openIdentity(octets.bytes, () =>
    secretFrom(options.identityPassphraseFile, 'Passphrase of the identity'),
  );
  const restored = await restoreBackup({
    file,
    identity,
    home,
    ask: askSecret,
    ...pathsOf(options),
    keys: options.key ?? (await keysOf(where.connection)),
    trustBackup: options.trustBackup ?? false,
    onTrusted: (doings) => {
      terminal.warn('The configuration of the backup is followed, and nothing shows who wrote it:');
      for (const doing of doings) terminal.warn(`  ${doing}`);
    },
    acceptLoss: options.acceptLoss ?? false,
    freezeAll: options.freezeAll ?? false,
    ...(options.admin === undefined ? {} : { administrator: options.admin }),
    ...(options.generation === undefined ? {} : { generation: numberOf(options.generation) }),
    onLoss: (loss) => tellLoss(terminal, loss),
  });
  terminal.result(restored, lines(restored));
  advise(terminal, restored);
  const { range } = restored.loss;
  const isWhole = range !== null && range.to <= range.from && restored.torn === 0;
  return isWhole && restored.outsideFailure === null ? 0 : EXIT.attention;
}

/** Those that a connection file pins, if one was named: any client of the lost instance has it. */
async function keysOf(connection: string | undefined): Promise<readonly string[]> {
  return connection === undefined ? [] : (await readConnection(connection)).log.vkeys;
}

function pathsOf({ masterKeyFile, checkpoint, tail, journal }: Options) {
  return {
    ...(masterKeyFile === undefined ? {} : { masterKeyFile: resolve(masterKeyFile) }),
    ...(checkpoint === undefined ? {} : { checkpoint }),
    ...(tail === undefined ? {} : { tail }),
    ...(journal === undefined ? {} : { journal }),
  };
}

function numberOf(text: string): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= 2) return number;
  throw new KeyturnError('invalid_input', '--generation takes a whole number from 2.', { fix: 'Leave it out.' });
}

function tellLoss(terminal: Terminal, { range, entries }: Loss): void {
  if (range === null) {
    terminal.warn('What was recorded after the backup is not known: leases, freezes, revocations, imports.');
    return;
  }
  if (range.to <= range.from) return;
  terminal.warn(
    `Lost: the entries ${range.from} to ${range.to - 1} (${range.to - range.from}), recorded after the backup.`,
  );
  for (const entry of (entries ?? []).slice(0, SHOWN)) {
    const about = entry.credential === undefined ? '' : ` ${entry.credential}`;
    const version = entry.version === undefined ? '' : `@${entry.version}`;
    terminal.warn(`  #${entry.index} ${entry.kind} ${entry.actor}${about}${version}`);
  }
  if (entries === null)
    terminal.warn('  Their kinds are not known; an audit export taken after the backup names them: --tail FILE.');
  else if (entries.length > SHOWN) terminal.warn(`  and ${entries.length - SHOWN} more`);
}

function lines({ home, takenAt, size, generation, frozen, revoked }: Restored): string[] {
  return [
    `Restored ${home} from the backup of ${takenAt}: ${size} entries, every one verified; the key store is what the ledger knows.`,
    `The log goes on as generation ${generation}. Clients go on by themselves, with an alarm where they saw more.`,
    ...(frozen + revoked > 0 ? [`Taken over: ${frozen} freezes, ${revoked} revoked tokens.`] : []),
  ];
}

function advise(terminal: Terminal, restored: Restored): void {
  const { everythingFrozen, external, outsideFailure, changed, home, loss, torn } = restored;
  if (everythingFrozen) terminal.warn('Everything is frozen: two persons thaw each store (keyturn hold list).');
  else if (loss.entries === null) {
    terminal.warn(
      'Freezes and revocations after the backup are not in force any more. Place them again before the start.',
    );
  }
  if (torn > 0) {
    terminal.warn(
      `${torn} records of the journal can't be read: freezes, perhaps. Place again before the start what they may have been.`,
    );
  }
  if (external.length > 0)
    terminal.warn(`Keys in ${external.join(', ')} were not in the backup; those stores must be there.`);
  if (outsideFailure !== null)
    terminal.warn(`${outsideFailure} The server will refuse to start until it is looked after.`);
  if (changed.length > 0) terminal.note(`Changed in keyturn.yaml: ${changed.join(', ')}.`);
  terminal.note(`Next: keyturn server --home ${home}. Make sure that the old server is gone for good.`);
}
