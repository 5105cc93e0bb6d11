import type { z } from 'zod';
import type { ErrorCode } from '../../core/errors.ts';
import type { SecretBytes } from '../../core/secret-bytes.ts';
import type { Caller } from '../../credential/caller.ts';

/** A file of a multipart upload, in memory; wiped when the request is over. */
export interface UploadedFile {
  /** Name of the form field. */
  readonly field: string;
  readonly name: string;
  readonly bytes: Buffer;
}

/** How a route's body is read. `octets` is one secret, `upload` is multipart/form-data; both are wiped afterwards. */
export type BodyKind =
  | { readonly kind: 'none' }
  | { readonly kind: 'json'; readonly schema: z.ZodType }
  | { readonly kind: 'octets'; readonly limit: number }
  | { readonly kind: 'upload' };

export interface Parsed {
  readonly params: Record<string, unknown>;
  readonly query: Record<string, unknown>;
  readonly headers: Record<string, unknown>;
  readonly json: unknown;
  readonly octets: SecretBytes | null;
  readonly files: readonly UploadedFile[];
  readonly fields: Readonly<Record<string, string>>;
}

export const JSON_TYPE = 'application/json; charset=utf-8';

/** What a handler gives back: a JSON body, a stream of text, or nothing (204). */
export type Answer =
  | { readonly status: number; readonly json: unknown }
  | {
      readonly status: number;
      readonly type: string;
      readonly text: string | AsyncIterable<string>;
      /** All of the text is: it has as many octets as characters. Default: it is looked at. */
      readonly ascii?: boolean;
      /** Called when the connection is gone or the answer is whole: for a stream that waits for more to say. */
      readonly onClose?: () => void;
    }
  /** Octets as they come; `facts` go into a header of that name, as JSON. */
  | {
      readonly status: number;
      readonly type: string;
      readonly octets: AsyncIterable<Buffer>;
      readonly facts: readonly [header: string, value: object];
    }
  | { readonly status: 204 };

/**
 * One operation of the API: one schema for parsing, types and OpenAPI. Handlers never see an unparsed value.
 * `handle` gets a caller on every route but those with `auth: 'none'`.
 */
export interface Route {
  readonly id: string;
  readonly method: 'get' | 'post' | 'put' | 'delete';
  /** OpenAPI form, e.g. `/v1/credentials/{name}/leases`. */
  readonly path: string;
  readonly summary: string;
  readonly auth: 'token' | 'none';
  /** Asked so often that routing counts; the path has one parameter. Default false. */
  readonly frequent?: boolean;
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  /** Names in lower case. */
  readonly headers?: z.ZodObject;
  readonly body: BodyKind;
  readonly success: { readonly status: number; readonly description: string; readonly schema?: z.ZodType };
  readonly problems: readonly ErrorCode[];
  readonly handle: (input: Parsed, caller: Caller) => Promise<Answer>;
}

type Infer<T, Default> = T extends z.ZodType ? z.infer<T> : Default;

interface TypedInput<P, Q, B, H> {
  readonly params: Infer<P, Record<string, never>>;
  readonly query: Infer<Q, Record<string, never>>;
  readonly headers: Infer<H, Record<string, never>>;
  readonly body: Infer<B, null>;
  readonly octets: SecretBytes | null;
  readonly files: readonly UploadedFile[];
  readonly fields: Readonly<Record<string, string>>;
}

interface Definition<
  P extends z.ZodObject | undefined,
  Q extends z.ZodObject | undefined,
  B extends z.ZodType | undefined,
  H extends z.ZodObject | undefined,
> extends Omit<Route, 'params' | 'query' | 'headers' | 'body' | 'handle' | 'auth'> {
  readonly auth?: 'token' | 'none';
  readonly params?: P;
  readonly query?: Q;
  readonly headers?: H;
  readonly json?: B;
  readonly body?: Exclude<BodyKind, { kind: 'json' }>;
  readonly handle: (input: TypedInput<P, Q, B, H>, caller: Caller) => Promise<Answer>;
}

/** Declares a route; what `handle` receives is typed by the schemas beside it. */
export function route<
  P extends z.ZodObject | undefined = undefined,
  Q extends z.ZodObject | undefined = undefined,
  B extends z.ZodType | undefined = undefined,
  H extends z.ZodObject | undefined = undefined,
>(definition: Definition<P, Q, B, H>): Route {
  const { params, query, headers, json, body, handle, auth, ...rest } = definition;
  return {
    ...rest,
    auth: auth ?? 'token',
    ...(params === undefined ? {} : { params }),
    ...(query === undefined ? {} : { query }),
    ...(headers === undefined ? {} : { headers }),
    body: json === undefined ? (body ?? { kind: 'none' }) : { kind: 'json', schema: json },
    // The dispatcher parses with these very schemas before it calls.
    handle: (input, caller) => handle({ ...input, body: input.json } as unknown as TypedInput<P, Q, B, H>, caller),
  };
}

export function ok(json: unknown, status = 200): Answer {
  return { status, json };
}
