import { KeyturnError } from '../core/errors.ts';
import type { Environment } from './environment.ts';

export interface Contact {
  readonly role: string;
  readonly name?: string | undefined;
  readonly email?: string | undefined;
  readonly url?: string | undefined;
}

/** One partner: what its profile says. */
export interface Profile {
  readonly partner: string;
  readonly title: string;
  readonly contacts: readonly Contact[];
  readonly environments: ReadonlyMap<string, Environment>;
}

export interface ProfileCount {
  readonly partners: number;
  readonly environments: number;
}

/** All partner profiles of one load. Immutable; loading anew makes another. */
export class Profiles {
  /** Names the files that they were read from: equal where these are, SHA-256 in lower-case hex. */
  readonly digest: string;
  readonly #profiles: ReadonlyMap<string, Profile>;

  constructor(profiles: readonly Profile[], digest: string) {
    this.digest = digest;
    this.#profiles = new Map(profiles.map((profile) => [profile.partner, profile]));
  }

  /** Names of the partners, sorted. */
  get partners(): string[] {
    return [...this.#profiles.keys()].toSorted();
  }

  /** How many there are. */
  count(): ProfileCount {
    const environments = [...this.#profiles.values()].map((profile) => profile.environments.size);
    return { partners: this.#profiles.size, environments: environments.reduce((sum, size) => sum + size, 0) };
  }

  /** @throws KeyturnError `not_found`, with the partners that are known. */
  profile(partner: string): Profile {
    const profile = this.#profiles.get(partner);
    if (profile !== undefined) return profile;
    throw new KeyturnError('not_found', `There is no profile of that partner; known: ${listed(this.partners)}.`, {
      fix: 'Correct the name, or write a profile into the folder of the partner profiles and run: keyturn policy reload',
    });
  }

  /** Null when there is none, or no such partner. */
  find(partner: string, environment: string): Environment | null {
    return this.#profiles.get(partner)?.environments.get(environment) ?? null;
  }

  /** @throws KeyturnError `not_found`, with the names that are known. */
  environment(partner: string, environment: string): Environment {
    const { environments } = this.profile(partner);
    const found = environments.get(environment);
    if (found !== undefined) return found;
    const known = listed([...environments.keys()].toSorted());
    throw new KeyturnError('not_found', `The partner ${partner} has no such environment; known: ${known}.`, {
      fix: 'Correct the name, or add the environment to the profile.',
    });
  }
}

function listed(names: readonly string[]): string {
  return names.length === 0 ? 'none' : names.join(', ');
}
