import type { Canary } from '../canary/search/secrets.ts';

/** How a store that is a server elsewhere is, seen from Keyturn. */
export type StoreMood =
  | 'well'
  /** Nobody listens. */
  | 'down'
  /** It answers, and takes its time, within what Keyturn has patience for. */
  | 'slow'
  /** It takes connections and never answers. */
  | 'hanging'
  /** It does the first change that it is asked for, and from then on every connection breaks. */
  | 'lost after a change'
  /** It answers with half of what it has to say, as if that were all. */
  | 'cut short'
  /** It refuses every change, and repeats in its answer what it was sent, credentials and content. */
  | 'echoing changes'
  /** It does so with every request. */
  | 'echoing';

/** A real key store with something before it that breaks what goes through. */
export interface RemoteStore extends AsyncDisposable {
  /** The kind, which is the name that the configuration gives it too. */
  readonly kind: 'vault' | 'aws';
  /** What stands under its name in `keyturn.yaml`; files that it names are put into `home`. Little patience. */
  configure(home: string): Promise<object>;
  set(mood: StoreMood): Promise<void>;
  /** Names of the records that it holds, whatever its mood. */
  records(): Promise<string[]>;
  /** A secret that a team keeps there, whatever its mood; gives the path by which it is adopted. */
  keep(name: string, fields: Readonly<Record<string, string>>): Promise<string>;
  /** Tokens and credentials by which Keyturn speaks to it. */
  readonly canaries: readonly Canary[];
}

/** Of a slow answer, milliseconds. */
export const SLOW_MS = 60;
