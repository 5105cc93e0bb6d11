import { createPublicKey, type KeyObject } from 'node:crypto';
import { decodeBase64 } from '../core/encoding/base64.ts';
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
  /** 1, or one more for each time that the log was restored from a backup (docs/formats/audit-log.md). */
  readonly generation: number;
}

/**
 * Signs the heads of one log with Ed25519; the key's name is the log's origin. It signs what it is given: whoever
 * calls it must see to it that no two heads contradict each other, across crashes too.
 */
export class LogSigner {
  readonly origin: string;
  /** The public key as verifiers take it. */
  readonly vkey: string;
  /** Of the checkpoints that it signs. */
  readonly generation: number;
  readonly #key: NoteKey;
  readonly #privateKey: KeyObject;

  private constructor(key: NoteKey, privateKey: KeyObject, generation: number) {
    this.origin = key.name;
    this.vkey = formatVkey(key);
    this.generation = generation;
    this.#key = key;
    this.#privateKey = privateKey;
  }

  /**
   * The KeyObject may have been posted from another thread.
   * @throws KeyturnError `invalid_input` for an origin with spaces or a plus, or a key that is not a private Ed25519 key.
   */
  static create(origin: string, privateKey: KeyObject): LogSigner {
    if (privateKey.type !== 'private') throw new KeyturnError('invalid_input', 'A log is signed with a private key.');
    return new LogSigner(noteKey(origin, createPublicKey(privateKey)), privateKey, 1);
  }

  /** The same key, for checkpoints of another generation. */
  ofGeneration(generation: number): LogSigner {
    return new LogSigner(this.#key, this.#privateKey, generation);
  }

  /** The note text of the signed checkpoint. */
  sign(head: TreeHead): string {
    const extension = this.generation === 1 ? '' : `${GENERATION}${this.generation}\n`;
    const text = `${this.origin}\n${head.size}\n${head.root.toString('base64')}\n${extension}`;
    return signNote(text, this.#key, this.#privateKey);
  }

  /** Signs another text of this log. Its first line names what it is, so that nothing passes for a checkpoint. */
  signText(text: string): string {
    if (text.startsWith(`${this.origin}\n`))
      throw new KeyturnError('internal', 'This text could pass for a checkpoint.');
    return signNote(text, this.#key, this.#privateKey);
  }
}

/** Opens the checkpoints of one log, with nothing but public keys. */
export class LogVerifier {
  readonly origin: string;
  /** As they were given. */
  readonly vkeys: readonly string[];
  readonly #keys: readonly NoteKey[];

  /**
   * `keys` are vkeys: one, or several while the log changes its key. Each must bear the origin as its name.
   * @throws KeyturnError `invalid_input` for an origin or a key that is none, or no key at all.
   */
  constructor(log: { readonly origin: string; readonly keys: readonly string[] }) {
    if (!isKeyName(log.origin)) throw new KeyturnError('invalid_input', 'The log origin is not a name of a log.');
    this.origin = log.origin;
    this.vkeys = [...log.keys];
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

  /**
   * The text that `signText` signed; what it means is for the caller to read.
   * @throws KeyturnError `audit_invalid` unless one of the log's keys signed it.
   */
  openText(note: string): string {
    return openNote(note, this.#keys).text;
  }
}

/** What opens checkpoints: a {@link LogVerifier}, or something that stands in front of one. */
export type CheckpointOpener = Pick<LogVerifier, 'origin' | 'open' | 'openText'>;

/** Extension line of a checkpoint; that of the first generation has none. */
const GENERATION = 'generation ';

/** C2SP tlog-checkpoint: origin, size, root; further lines are extensions, of which one has a meaning here. */
function parseCheckpoint(text: string): Checkpoint {
  const lines = text.slice(0, -1).split('\n');
  const [origin = '', size = '', encodedRoot = '', ...extensions] = lines;
  if (lines.some((line) => line === '')) throw invalid('it has an empty line');
  if (!/^(0|[1-9][0-9]{0,15})$/.test(size) || !Number.isSafeInteger(Number(size))) throw invalid('its size is no size');
  const root = decodeBase64(encodedRoot, HASH_BYTES);
  if (root === null) throw invalid('its root is no hash');
  if (Number(size) === 0 && !root.equals(EMPTY_ROOT)) throw invalid('its root is not that of an empty tree');
  return { origin, size: Number(size), root, generation: generationOf(extensions) };
}

function generationOf(extensions: readonly string[]): number {
  const [line, more] = extensions.filter((extension) => extension.startsWith(GENERATION));
  if (line === undefined) return 1;
  const generation = /^[1-9][0-9]{0,15}$/.test(line.slice(GENERATION.length))
    ? Number(line.slice(GENERATION.length))
    : 0;
  if (more !== undefined || generation < 2 || !Number.isSafeInteger(generation))
    throw invalid('its generation is none');
  return generation;
}

function invalid(what: string): KeyturnError {
  return new KeyturnError('audit_invalid', `The checkpoint is refused: ${what}.`);
}
