export const CREDENTIAL = 'lean/sandbox';

/** As the API shows a rotation. */
export interface Shown {
  readonly id: string;
  readonly state: string;
  readonly step: string;
  readonly version: number | null;
  /** PEM of the request that was made for our key. */
  readonly found: { readonly csr?: string };
  readonly tasks: readonly Task[];
}

export interface Task {
  readonly id: string;
  readonly kind: 'import' | 'certificate' | 'revoke' | 'look' | 'decide';
  readonly state: string;
  readonly serial?: string;
}

export interface Answer {
  readonly ok: boolean;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Name → content. */
export type Files = Readonly<Record<string, Buffer>>;

/** What a person asks of one server. Null: it was gone before it answered, and whether it happened is not known. */
export interface PersonsDesk {
  start(): Promise<Answer | null>;
  order(verb: 'abort' | 'roll-back'): Promise<Answer | null>;
  /** `none` when there has never been one. */
  show(): Promise<Shown | 'none' | null>;
  /** Key and certificate that the partner made. */
  upload(files: Files): Promise<Answer | null>;
  /** A certificate that was signed for the rotation's own key. */
  attach(files: Files): Promise<Answer | null>;
  done(task: string): Promise<Answer | null>;
  lease(): Promise<Answer | null>;
  giveBack(lease: string): Promise<Answer | null>;
  close(): void;
}

/** Null when it can't be told just now. */
export function shownIn({ ok, body }: Answer): Shown | 'none' | null {
  if (ok) return body as unknown as Shown;
  return body['code'] === 'not_found' ? 'none' : null;
}
