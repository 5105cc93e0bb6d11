import { readSecretFile } from '../../compose/master-key.ts';
import { KeyturnError } from '../../core/errors.ts';
import { SecretBytes } from '../../core/secret-bytes.ts';

/**
 * Asks for a secret at the terminal, octet by octet and without echo, so that it never becomes a string.
 * Backspace deletes, Enter ends, Ctrl-C gives up.
 * @throws KeyturnError `invalid_input` without a terminal.
 */
export async function askSecret(question: string): Promise<SecretBytes> {
  const { stdin, stderr } = process;
  if (!stdin.isTTY) {
    throw new KeyturnError('invalid_input', `${question}: there is no terminal to ask at.`, {
      fix: 'Give the secret in a file, see --help.',
    });
  }
  // Echo is off before the question is there: whoever types at once is not seen.
  stdin.setRawMode(true);
  stderr.write(`${question}: `);
  const typed = Buffer.allocUnsafeSlow(8_192);
  try {
    const length = await readKeys(stdin, typed);
    stderr.write('\n');
    return SecretBytes.copyOf(typed.subarray(0, length));
  } finally {
    stdin.setRawMode(false);
    stdin.pause();
    typed.fill(0);
  }
}

/**
 * Asks twice for a secret that is about to lock something: a slip of the finger would lock it for ever.
 * @throws KeyturnError `invalid_input` when the two differ.
 */
export async function askNewSecret(question: string): Promise<SecretBytes> {
  const first = await askSecret(question);
  using second = await askSecret(`${question} (once more)`);
  if (first.equals(second)) return first;
  first.dispose();
  throw new KeyturnError('invalid_input', 'The two are not the same.', { fix: 'Try again.' });
}

function readKeys(stdin: NodeJS.ReadStream, typed: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    let length = 0;
    const onData = (chunk: Buffer) => {
      try {
        for (const octet of chunk) {
          if (octet === 0x03) return finish(() => reject(new KeyturnError('invalid_input', 'Given up.')));
          if (octet === 0x0d || octet === 0x0a) return finish(() => resolve(length));
          if (octet === 0x7f || octet === 0x08) length = withoutLastCharacter(typed, length);
          else if (length < typed.length) length = typed.writeUInt8(octet, length);
        }
      } finally {
        chunk.fill(0);
      }
    };
    const finish = (then: () => void) => {
      stdin.off('data', onData);
      then();
    };
    stdin.on('data', onData);
    stdin.resume();
  });
}

/** UTF-8: continuation octets are 10xxxxxx. */
function withoutLastCharacter(typed: Buffer, length: number): number {
  let end = Math.max(0, length - 1);
  while (end > 0 && ((typed[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return end;
}

/** A secret from the file that a flag names, or from the terminal. */
export function secretFrom(file: string | undefined, question: string): Promise<SecretBytes> {
  return file === undefined ? askSecret(question) : readSecretFile(file);
}

/** Yes or no; no without a terminal. */
export async function confirm(question: string): Promise<boolean> {
  if (!process.stdin.isTTY) return false;
  const prompts = await import('@clack/prompts');
  return (await prompts.confirm({ message: question })) === true;
}
