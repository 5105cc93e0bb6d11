/** Loads a command's code when it runs, so that `--help` stays quick. */
export type Load = () => Promise<{ readonly default: (...args: never[]) => Promise<unknown> }>;

/** One command: what it takes, what its help says, and where its code is. */
export interface Spec {
  /** Name and positional arguments, e.g. `promote <credential> <version>`. */
  readonly name: string;
  readonly about: string;
  readonly example: string;
  /** Of a group: runs when no other command of it is named. */
  readonly isDefault?: boolean;
  readonly load: Load;
  readonly options?: readonly (readonly [flags: string, about: string])[];
  /** Names that options had, taken still and shown no more. */
  readonly formerly?: readonly string[];
  /** Options that may be given several times. */
  readonly lists?: readonly (readonly [flags: string, about: string])[];
}

export type Group = readonly [name: string, about: string, specs: readonly Spec[]];
