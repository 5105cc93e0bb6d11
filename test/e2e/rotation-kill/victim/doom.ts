/** Where a server is to die. */
export interface Doom {
  /** Point → the time of passing it, from 1, that is the last. Empty: it lives. */
  readonly points: Readonly<Record<string, number>>;
  /** Takes the name of each point that was one's end, a line each. */
  readonly file: string;
}
