import { access, constants, readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';

export type Environment = Readonly<Record<string, string | undefined>>;

/** What a source of credentials lacks, and what mends it. */
export interface Lack {
  readonly state: string;
  /** Null where nobody set it up, so that it is not what is broken. */
  readonly fix: string | null;
}

type Section = ReadonlyMap<string, string>;

/** The two files of AWS's own tools. */
interface Profiles {
  readonly config: string;
  readonly shared: string;
  /** Null where neither has it. */
  readonly named: (name: string) => Promise<Section | null>;
}

/** The profile in force, and why it gave no credentials. Values of it are never told, but names of profiles. */
export async function lackOfProfile(environment: Environment): Promise<Lack & { readonly profile: string }> {
  const profile = environment['AWS_PROFILE'] || 'default';
  const profiles = profilesOf(environment);
  const section = await profiles.named(profile);
  if (section === null) {
    const fix = `Write the profile into ${profiles.config}, or correct AWS_PROFILE.`;
    const wanted = environment['AWS_PROFILE'] !== undefined;
    const state = `not in ${profiles.config} or ${profiles.shared}`;
    return { profile: printable(profile), state, fix: wanted ? fix : null };
  }
  const lack = await lackOf({ profile, section, profiles, environment, visited: [profile] });
  return { profile: printable(profile), ...lack };
}

interface Asked {
  readonly profile: string;
  readonly section: Section;
  readonly profiles: Profiles;
  readonly environment: Environment;
  /** Profiles that were gone through, this one included. */
  readonly visited: readonly string[];
}

async function lackOf(asked: Asked): Promise<Lack> {
  const { section, profile } = asked;
  const name = printable(profile);
  if ([...section.keys()].some((key) => key.startsWith('sso_'))) {
    return { state: 'single sign-on gave none', fix: `Run: aws sso login --profile ${name}` };
  }
  if (section.has('role_arn')) return lackOfRole(asked);
  if (section.has('credential_process')) {
    return { state: 'its credential_process gave none', fix: 'Run the credential_process by hand.' };
  }
  return { state: 'holds no usable credentials', fix: 'Run: aws configure list' };
}

const NO_TRUST = { state: 'its role could not be assumed', fix: 'Check role_arn, its trust policy and the source.' };

/** As the SDK goes: by a token file, from another profile, or from a source of the machine; exactly one of the last two. */
async function lackOfRole(asked: Asked): Promise<Lack> {
  const { section, profile, environment } = asked;
  const [source, kind] = [section.get('source_profile'), section.get('credential_source')];
  const token = section.get('web_identity_token_file');
  const name = printable(profile);
  if (token !== undefined) {
    if (await isReadable(token)) return NO_TRUST;
    const state = `its web_identity_token_file ${printable(token)} can't be read`;
    return { state, fix: 'Mount the token there, or correct web_identity_token_file.' };
  }
  if (source !== undefined && kind !== undefined) {
    const state = 'its role_arn has both source_profile and credential_source';
    return { state, fix: `Take one of them out of [profile ${name}]: with both neither counts.` };
  }
  if (source !== undefined) return lackOfSource(asked, source);
  if (kind !== undefined) return lackOfKind(kind, name, environment);
  return {
    state: 'its role_arn has neither source_profile nor credential_source',
    fix: `Name a profile that has credentials (aws configure list-profiles): aws configure set source_profile NAME --profile ${name}`,
  };
}

async function lackOfSource(asked: Asked, source: string): Promise<Lack> {
  const { profile, profiles, visited } = asked;
  const [name, from] = [printable(profile), printable(source)];
  const another = `aws configure set source_profile NAME --profile ${name}`;
  const section = await profiles.named(source);
  if (section === null) {
    const state = `its source_profile ${from} is not in ${profiles.config} or ${profiles.shared}`;
    return { state, fix: `Write that profile, or name one that there is (aws configure list-profiles): ${another}` };
  }
  // A profile that is another's source gives its keys, where it has some, before its role.
  if (section.has('aws_access_key_id') && section.has('aws_secret_access_key')) return NO_TRUST;
  if (visited.includes(source)) {
    return { state: `its source_profile ${from} leads in a circle`, fix: `Name one that has credentials: ${another}` };
  }
  if (!GIVING.some((key) => section.has(key))) {
    const fix = `Run: aws configure --profile ${from}; or name another: ${another}`;
    return { state: `its source_profile ${from} holds no credentials`, fix };
  }
  const { state, fix } = await lackOf({ ...asked, profile: source, section, visited: [...visited, source] });
  return { state: `its source_profile ${from}: ${state}`, fix };
}

/** Any of these makes a profile one that gives credentials. */
const GIVING = [
  'role_arn',
  'credential_process',
  'sso_session',
  'sso_account_id',
  'web_identity_token_file',
  'login_session',
];

function lackOfKind(kind: string, profile: string, environment: Environment): Lack {
  const state = `its credential_source is ${kind}`;
  if (kind === 'Environment') {
    const missing = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'].find((variable) => !environment[variable]);
    if (missing === undefined) return NO_TRUST;
    return { state: `${state}, where ${missing} is not set`, fix: `Set ${missing} for the server.` };
  }
  if (kind === 'EcsContainer') {
    const named = ['AWS_CONTAINER_CREDENTIALS_RELATIVE_URI', 'AWS_CONTAINER_CREDENTIALS_FULL_URI'];
    if (named.some((variable) => environment[variable])) return NO_TRUST;
    const fix = `That is for tasks and pods, which have ${named[0]} or ${named[1]}; elsewhere name another source.`;
    return { state: `${state}, and no container agent is named`, fix };
  }
  if (kind === 'Ec2InstanceMetadata') {
    if (environment['AWS_EC2_METADATA_DISABLED']?.toLowerCase() === 'true') {
      return {
        state: `${state}, which AWS_EC2_METADATA_DISABLED switches off`,
        fix: 'unset AWS_EC2_METADATA_DISABLED',
      };
    }
    return { state: `${state}, which gave none`, fix: 'Give the machine a role that may assume role_arn.' };
  }
  return {
    state: 'its credential_source is none of Environment, EcsContainer and Ec2InstanceMetadata',
    fix: `Run: aws configure set credential_source Ec2InstanceMetadata --profile ${profile}, or with the one that it is.`,
  };
}

function profilesOf(environment: Environment): Profiles {
  const config = environment['AWS_CONFIG_FILE'] || join(homedir(), '.aws', 'config');
  const shared = environment['AWS_SHARED_CREDENTIALS_FILE'] || join(homedir(), '.aws', 'credentials');
  return {
    config,
    shared,
    named: async (name) => {
      const inConfig = name === 'default' ? ['default', 'profile default'] : [`profile ${name}`];
      const found = [await sectionOf(config, inConfig), await sectionOf(shared, [name])];
      const merged = new Map(found.flatMap((section) => [...(section ?? [])]));
      return merged.size === 0 ? null : merged;
    },
  };
}

/** Members of these sections of an INI file of AWS; null when there is none of them. */
async function sectionOf(file: string, sections: readonly string[]): Promise<Section | null> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const members = new Map<string, string>();
  let inside = false;
  for (const whole of text.split(/\r?\n/)) {
    const line = whole.replace(/(?:^|\s)[;#].*$/, '');
    const section = /^\s*\[\s*([^\]]*?)\s*\]/.exec(line)?.[1];
    if (section !== undefined) inside = sections.includes(section.replace(/\s+/g, ' '));
    const [, key, value] = /^([a-z_]{1,40})\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (inside && key !== undefined && value !== undefined) members.set(key, value);
  }
  return members.size === 0 ? null : members;
}

function printable(name: string): string {
  return /^[\w .@+/:-]{1,100}$/.test(name) ? name : '(unprintable)';
}

export function isReadable(file: string): Promise<boolean> {
  return access(file, constants.R_OK).then(
    () => true,
    () => false,
  );
}
