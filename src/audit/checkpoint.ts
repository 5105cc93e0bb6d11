import { createPublicKey, type KeyObject } from 'node:crypto';
import { decodeBase64 } from '../core/base64.ts';
import { KeyturnError } from '../core/errors.ts';
import { EMPTY_ROOT, HASH_BYTES } from './merkle.ts';
import { formatVkey, isKeyName, type NoteKey, noteKey, openNote, parseVkey, signNote } from './note.ts';

export interface TreeHead {
  /** Leaves in the tree. */
  readonly size: number;
  /** 32 octets. */
  readonly root: Buffer;
}

/** What a signed checkpoint says (C2SP tlog-checkpoint). */
export interface Checkpoint extends TreeHead {
  /** Name of the log, a schema-less URL such as `keyturn.example/log`. */
  readonly origin: string;
}

/**
 * Signs the heads of one log with Ed25519; the key's name is the log's origin. It signs what it is given: whoever
 * calls it must see to it that no two heads contradict each other, across crashes too.
 */
export class LogSigner {
  readonly origin: string;
  /** The public key as verifiers take it. */
  readonly vkey: string;
  readonly #key: NoteKey;
  readonly #privateKey: KeyObject;

  private constructor(key: NoteKey, privateKey: KeyObject) {
    this.origin = key.name;
    this.vkey = formatVkey(key);
    this.#key = key;
    this.#privateKey = privateKey;
  }

  /**
   * The KeyObject may have been posted from another thread.
   * @throws KeyturnError `invalid_input` for an origin with spaces or a plus, or a key that is not a private Ed25519 key.
   */
  static create(origin: string, privateKey: KeyObject): LogSigner {
    if (privateKey.type !== 'private') throw new KeyturnError('invalid_input', 'A log is signed with a private key.');
    return new LogSigner(noteKey(origin, createPublicKey(privateKey)), privateKey);
  }

  /** The note text of the signed checkpoint. */
  sign(head: TreeHead): string {
    return signNote(`${this.origin}\n${head.size}\n${head.root.toString('base64')}\n`, this.#key, this.#privateKey);
  }
}

/** Opens the checkpoints of one log, with nothing but public keys. */
export class LogVerifier {
  readonly origin: string;
  readonly #keys: readonly NoteKey[];

  /**
   * `keys` are vkeys: one, or several while the log changes its key. Each must bear the origin as its name.
   * @throws KeyturnError `invalid_input` for an origin or a key that is none, or no key at all.
   */
  constructor(log: { readonly origin: string; readonly keys: readonly string[] }) {
    if (!isKeyName(log.origin)) throw new KeyturnError('invalid_input', 'The log origin is not a name of a log.');
    this.origin = log.origin;
    this.#keys = log.keys.map(parseVkey);
    if (this.#keys.length === 0 || this.#keys.some((key) => key.name !== log.origin)) {
      throw new KeyturnError('invalid_input', 'The log keys do not belong to the log origin.', {
        fix: 'Give at least one key, whose name (before the first plus) is the log origin.',
      });
    }
  }

  /** @throws KeyturnError `audit_invalid` unless the note is a checkpoint of this log, signed by one of its keys. */
  open(note: string): Checkpoint {
    const checkpoint = parseCheckpoint(openNote(note, this.#keys).text);
    if (checkpoint.origin !== this.origin) throw invalid('it is of another log');
    return checkpoint;
  }
}

/** What opens checkpoints: a {@link LogVerifier}, or something that stands in front of one. */
export type CheckpointOpener = Pick<LogVerifier, 'origin' | 'open'>;

/** C2SP tlog-checkpoint: origin, size, root; further lines are extensions, signed but without a meaning here. */
function parseCheckpoint(text: string): Checkpoint {
  const lines = text.slice(0, -1).split('\n');
  const [origin = '', size = '', encodedRoot = ''] = lines;
  if (lines.some((line) => line === '')) throw invalid('it has an empty line');
  if (!/^(0|[1-9][0-9]{0,15})$/.test(size) || !Number.isSafeInteger(Number(size))) throw invalid('its size is no size');
  const root = decodeBase64(encodedRoot, HASH_BYTES);
  if (root === null) throw invalid('its root is no hash');
  if (Number(size) === 0 && !root.equals(EMPTY_ROOT)) throw invalid('its root is not that of an empty tree');
  return { origin, size: Number(size), root };
}

function invalid(what: string): KeyturnError {
  return new KeyturnError('audit_invalid', `The checkpoint is refused: ${what}.`);
}
