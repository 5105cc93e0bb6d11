import {
  answerObject,
  type JsonObject,
  numberAt,
  objectAt,
  textAt,
  textsAt,
  type VaultAnswer,
} from '../client/answer.ts';
import { reasonOf, vaultError } from '../client/reason.ts';
import type { Grant, LoginClient, LoginMethod } from './method.ts';

/** A service token of OpenBao or Vault, or any other printable one; at most 4,096 characters. */
export const TOKEN = /^[\x21-\x7e]{1,4096}$/;

interface Refusable extends Pick<LoginMethod, 'description' | 'fix'> {
  /** What the server's words mean, which are matched and never quoted; null for others. */
  readonly explain?: (errors: string) => string | null;
}

/** The grant in the `auth` of an answer. */
export function grantOf(answer: VaultAnswer, { description, fix, explain }: Refusable): Grant {
  const body = answerObject(answer.octets);
  const auth = objectAt(body, 'auth');
  answer.octets.fill(0);
  const token = textAt(auth, 'client_token') ?? '';
  if (!TOKEN.test(token)) {
    const known = explain?.((textsAt(body, 'errors') ?? []).join(' ').slice(0, 1_000)) ?? null;
    throw vaultError('login', known ?? `The login by ${description} gave no token (HTTP ${answer.status}).`, {
      status: answer.status,
      fix,
    });
  }
  return { token, leaseSeconds: numberAt(auth, 'lease_duration') ?? 0, renewable: auth['renewable'] === true };
}

/**
 * Logs in at `auth/<mount>/login`. That a login is repeated after an unclear answer leaves at most a token behind
 * that dies by itself.
 */
export async function loginAt(client: LoginClient, mount: string, body: JsonObject, method: Refusable): Promise<Grant> {
  try {
    return grantOf(await client.post(`auth/${mount}/login`, body), method);
  } catch (error) {
    if (reasonOf(error) !== 'forbidden') throw error;
    throw vaultError('login', `Vault refused the login by ${method.description}.`, {
      status: 403,
      fix: `${method.fix}. Or nothing is enabled there: bao auth list`,
    });
  }
}
