import { isKeyturnError } from '../../../core/errors.ts';
import type { SecretBytes } from '../../../core/secret-bytes.ts';
import { confirm, secretFrom } from '../../terminal/prompt.ts';

/** What an import may need of a person. */
export interface Answers {
  readonly environment: string | undefined;
  readonly password: SecretBytes | null;
}

export interface Given {
  readonly credential: string;
  readonly environment: string | undefined;
  readonly passwordFile: string | undefined;
  /** Ask for the password before the server says that it needs one. */
  readonly askPassword?: boolean;
}

/** Sends with what was given, and asks for what the server says is missing: a password, the environment; each once. */
export async function withAnswers<T>(given: Given, send: (answers: Answers) => Promise<T>): Promise<T> {
  const { credential, passwordFile } = given;
  let { environment } = given;
  let password =
    passwordFile === undefined && given.askPassword !== true
      ? null
      : await secretFrom(passwordFile, 'Password of the key');
  try {
    for (;;) {
      try {
        return await send({ environment, password });
      } catch (error) {
        if (isKeyturnError(error, 'key_password_required') && password === null && process.stdin.isTTY) {
          password = await secretFrom(undefined, 'Password of the key');
        } else if (isKeyturnError(error, 'environment_required') && environment === undefined) {
          const named = credential.split('/')[1] ?? '';
          if (!(await confirm(`Nothing in the chain tells the environment. Is this certificate for ${named}?`)))
            throw error;
          environment = named;
        } else {
          throw error;
        }
      }
    }
  } finally {
    password?.dispose();
  }
}
