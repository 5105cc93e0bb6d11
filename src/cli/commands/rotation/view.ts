import { facts, table } from '../../terminal/terminal.ts';

/** As the API answers. */
export interface Rotation {
  readonly id: string;
  readonly credential: string;
  readonly replaces: number | null;
  readonly version: number | null;
  readonly reason: string;
  readonly askedBy: string;
  readonly issuer: string;
  readonly state: string;
  readonly step: string;
  readonly since: string;
  readonly waitsFor: string | null;
  readonly next: string | null;
  readonly path: readonly string[];
  /** Where it is shown alone. */
  readonly orders?: readonly string[];
  readonly found: Readonly<Record<string, unknown>>;
  readonly startedAt: string;
  readonly endedAt: string | null;
}

export interface Task {
  readonly id: string;
  readonly credential: string;
  readonly kind: string;
  readonly state: string;
  readonly owner: string;
  readonly title: string;
  readonly steps?: readonly string[];
  readonly text?: string;
  readonly subject?: string;
  readonly csr?: string | null;
  readonly contacts?: readonly Readonly<Record<string, string>>[];
  readonly dueAt: string;
}

export interface Straggler {
  readonly principal: string;
  readonly lease?: string;
  readonly until?: string;
  /** Has another version, and has not said that it uses that one alone. */
  readonly moved?: boolean;
}

interface Seen {
  readonly at: number;
  readonly verdict: string;
  readonly detail: string;
}

export function pathOf(credential: string): string {
  return `/v1/credentials/${encodeURIComponent(credential)}/rotation`;
}

export function rotationLines(rotation: Rotation): string[] {
  const { found } = rotation;
  return facts([
    ['rotation', rotation.id],
    ['credential', rotation.credential],
    ['state', rotation.state],
    ['versions', `${rotation.replaces ?? 'none'} → ${rotation.version ?? 'to come'}`],
    ['step', stepsOf(rotation)],
    ['since', rotation.since],
    ...(rotation.waitsFor === null ? [] : ([['waits for', rotation.waitsFor]] as const)),
    ...(rotation.next === null ? [] : ([['then', rotation.next]] as const)),
    ...(rotation.orders === undefined || rotation.orders.length === 0
      ? []
      : ([['legal now', rotation.orders.join(', ')]] as const)),
    ['asked by', `${rotation.askedBy}: ${rotation.reason}${saidOf(rotation)}`],
    ...seenLines('canary', found['canary']),
    ...seenLines('control', found['control']),
    ...shareLines(found),
    ...undoneLine(found),
    ...outageLine(found),
    ...provenLine(found),
    ...(rotation.endedAt === null ? [] : ([['ended', rotation.endedAt]] as const)),
  ]);
}

function saidOf({ found: { said } }: Rotation): string {
  return typeof said === 'string' ? ` (${said})` : '';
}

function stepsOf({ path, step, endedAt }: Rotation): string {
  return path.map((one) => (one === step && endedAt === null ? `[${one}]` : one)).join(' → ');
}

function seenLines(name: string, value: unknown): [string, string][] {
  if (value === undefined) return [];
  const { verdict, detail, at } = value as Seen;
  return [[name, `${verdict} at ${new Date(at).toISOString()}. ${detail}`]];
}

interface Uses {
  readonly clients: number;
  readonly heard: number;
  readonly failing: number;
  readonly failingOf: readonly string[];
  readonly requests: number;
  readonly failures: number;
}

/** The part of the clients that has the new version first, and how it fares beside the others. */
function shareLines({ share, shareSeen }: Rotation['found']): [string, string][] {
  if (share === undefined) return [];
  const { of, until } = share as { of: number; until: number };
  const first = `${Number((of * 100).toFixed(2))} % of the clients, until ${new Date(until).toISOString()}`;
  if (shareSeen === undefined) return [['first', first]];
  const { fresh, old } = shareSeen as { fresh: Uses; old: Uses };
  const told = ({ clients, heard, failing, failingOf, requests, failures }: Uses) => {
    const who = failing === 0 ? '' : `; ${failing} of them saw failures: ${failingOf.join(', ')}`;
    return `${failures} of ${requests} requests failed (${clients} clients, ${heard} reported requests${who})`;
  };
  return [
    ['first', first],
    ['with the new one', told(fresh)],
    ['with the old one', told(old)],
  ];
}

function undoneLine({ undone }: Rotation['found']): [string, string][] {
  if (undone === undefined) return [];
  const { by, why, at } = undone as { by: string; why: string; at: number };
  return [['taken back', `by ${by} at ${new Date(at).toISOString()}: ${why}`]];
}

function outageLine({ outage }: Rotation['found']): [string, string][] {
  if (outage === undefined) return [];
  const { from, ms, by, clients } = outage as { from: number; ms: number; by: string; clients: number };
  const first = `first refusal at ${new Date(from).toISOString()}, seen by ${by}`;
  return [['outage', `${(ms / 1000).toFixed(1)} s: ${first}; ${clients} leases moved since`]];
}

function provenLine({ provenAt, control }: Rotation['found']): [string, string][] {
  if (typeof provenAt !== 'number') return [];
  const seen = (control as Seen | undefined)?.verdict === 'accepted';
  const missing = seen ? '' : '; without a control: it was not seen to be accepted before its revocation';
  return [['old one dead', `proven at ${new Date(provenAt).toISOString()}${missing}`]];
}

export function taskLines(task: Task): string[] {
  const contacts = (task.contacts ?? []).map((contact) => Object.values(contact).join(', '));
  return [
    `${task.title} (${task.id}, for ${task.owner}, due ${task.dueAt})`,
    ...(task.steps ?? []).map((step, at) => `  ${at + 1}. ${step}`),
    ...(contacts.length === 0 ? [] : [`  Contact: ${contacts.join('; ')}`]),
    ...(task.subject === undefined ? [] : ['', `  Subject: ${task.subject}`]),
    ...(task.text === undefined ? [] : ['', ...task.text.split('\n').map((line) => `  ${line}`)]),
    ...(typeof task.csr === 'string' ? ['', ...task.csr.trimEnd().split('\n')] : []),
  ];
}

export function stragglerLines(stragglers: readonly Straggler[]): string[] {
  if (stragglers.length === 0) return [];
  const rows = stragglers.map(({ principal, lease, until, moved }) => [
    principal,
    `${lease ?? 'revealed copy'}${moved === true ? ' (has the new one)' : ''}`,
    until ?? 'never',
  ]);
  return ['', ...table(['still on the old version', 'lease', 'until'], rows, '')];
}
