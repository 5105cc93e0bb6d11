import { vaultError } from './reason.ts';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

/** What the server answered. `octets` may hold a secret: whoever asked wipes them. */
export interface VaultAnswer {
  readonly status: number;
  readonly octets: Buffer;
  /** Null without the header, or when it is not a number of seconds. */
  readonly retryAfterMs: number | null;
}

/**
 * The JSON object of an answer, which the far side controls.
 * @throws KeyturnError `not_vault` when it is none: the message quotes nothing of it.
 */
export function answerObject(octets: Buffer): JsonObject {
  if (octets.length === 0) return {};
  try {
    const parsed: unknown = JSON.parse(octets.toString('utf8'));
    if (isJsonObject(parsed)) return parsed;
  } catch {
    // The parser quotes its input, so what it says is dropped.
  }
  throw vaultError('not_vault', 'What answered is not Vault: its answer is no JSON object.', {
    fix: 'Check the address; a proxy or another service may stand there.',
  });
}

/** Of what JSON.parse gave; its result holds nothing but JSON. */
function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The object under this key; empty when there is none. */
export function objectAt(object: JsonObject, key: string): JsonObject {
  const value = object[key];
  return isJsonObject(value) ? value : {};
}

export function textAt(object: JsonObject, key: string): string | null {
  const value = object[key];
  return typeof value === 'string' ? value : null;
}

export function numberAt(object: JsonObject, key: string): number | null {
  const value = object[key];
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

export function textsAt(object: JsonObject, key: string): string[] | null {
  const value = object[key];
  return Array.isArray(value) && value.every((each) => typeof each === 'string') ? value : null;
}
