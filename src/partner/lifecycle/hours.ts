/** When a partner's people work, and a change is welcome. A preference: it never makes a certificate expire. */
export interface Hours {
  /** IANA time zone. */
  readonly zone: string;
  /** 0 is Sunday. */
  readonly days: ReadonlySet<number>;
  /** Minutes after midnight, `to` exclusive. */
  readonly from: number;
  readonly to: number;
  /** Days of the zone's calendar, both included, on which nobody is there. */
  readonly closed: readonly { readonly from: string; readonly to: string; readonly why: string }[];
}

export interface WrittenHours {
  readonly zone: string;
  readonly days: readonly string[];
  readonly from: string;
  readonly to: string;
  readonly closed: readonly { readonly from: string; readonly to: string; readonly why: string }[];
}

const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const MINUTE_MS = 60_000;
/** Longest time that is looked ahead. Whoever is closed for longer is asked at the start of it. */
const HORIZON_MS = 120 * 86_400_000;

/** Hours as a profile writes them, judged. */
export function readHours(
  written: WrittenHours,
): { readonly hours: Hours } | { readonly fault: string; readonly path: readonly (string | number)[] } {
  if (!isZone(written.zone)) return { fault: 'must be a time zone such as Asia/Dubai', path: ['zone'] };
  const from = minutesOf(written.from);
  const to = minutesOf(written.to);
  if (from === null) return { fault: 'must be a time such as "09:00"', path: ['from'] };
  if (to === null || to <= from) return { fault: 'must be a time after "from"', path: ['to'] };
  for (const [at, span] of written.closed.entries()) {
    if (!isDay(span.from)) return { fault: 'must be a day such as 2026-12-24', path: ['closed', at, 'from'] };
    if (!isDay(span.to) || span.to < span.from) {
      return { fault: 'must be a day that is not before "from"', path: ['closed', at, 'to'] };
    }
  }
  const days = new Set(written.days.map((day) => DAYS.indexOf(day)));
  return { hours: { zone: written.zone, days, from, to, closed: written.closed } };
}

/** Why it is not a good time, null when it is. `at`: milliseconds since the epoch. */
export function outsideHours(hours: Hours, at: number): string | null {
  const { day, weekday, minutes } = local(hours.zone, at);
  const closed = hours.closed.find(({ from, to }) => from <= day && day <= to);
  if (closed !== undefined) return closed.why;
  if (!hours.days.has(weekday)) return `not on a ${DAYS[weekday]} (${hours.zone})`;
  if (minutes < hours.from || minutes >= hours.to) return `outside working hours (${hours.zone})`;
  return null;
}

/**
 * The first good instant from `at` on, in milliseconds since the epoch, to the minute; `latest` when there is none
 * before it, or none within 120 days.
 */
export function nextWithin(hours: Hours, at: number, latest: number): number {
  if (outsideHours(hours, at) === null) return at;
  let candidate = Math.ceil(at / MINUTE_MS) * MINUTE_MS;
  const end = Math.min(latest, at + HORIZON_MS);
  while (candidate < end) {
    if (outsideHours(hours, candidate) === null) return candidate;
    candidate += stepFrom(hours, candidate);
  }
  return latest;
}

/** How far nothing can change for the better: to the opening of this day, else to the next local midnight, in steps that no change of the clock can jump over. */
function stepFrom(hours: Hours, at: number): number {
  const { minutes } = local(hours.zone, at);
  const ahead = minutes < hours.from ? hours.from - minutes : 24 * 60 - minutes;
  // A day with a change of the clock has an hour more or less: come close, then go by minutes.
  return (ahead > 180 ? ahead - 120 : 1) * MINUTE_MS;
}

function local(zone: string, at: number): { day: string; weekday: number; minutes: number } {
  const parts = new Map(
    formatter(zone)
      .formatToParts(at)
      .map(({ type, value }) => [type, value]),
  );
  const part = (type: string) => parts.get(type as Intl.DateTimeFormatPartTypes) ?? '';
  return {
    day: `${part('year')}-${part('month')}-${part('day')}`,
    weekday: DAYS.indexOf(part('weekday').toLowerCase().slice(0, 3)),
    minutes: Number(part('hour')) * 60 + Number(part('minute')),
  };
}

const formatters = new Map<string, Intl.DateTimeFormat>();

function formatter(zone: string): Intl.DateTimeFormat {
  const known = formatters.get(zone);
  if (known !== undefined) return known;
  const made = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    calendar: 'gregory',
    numberingSystem: 'latn',
    hourCycle: 'h23',
    weekday: 'short',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
  });
  formatters.set(zone, made);
  return made;
}

function isZone(text: string): boolean {
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: text });
    return true;
  } catch {
    return false;
  }
}

function minutesOf(text: string): number | null {
  const match = /^([01][0-9]|2[0-4]):([0-5][0-9])$/.exec(text);
  const minutes = match === null ? null : Number(match[1]) * 60 + Number(match[2]);
  return minutes === null || minutes > 24 * 60 ? null : minutes;
}

function isDay(text: string): boolean {
  if (!/^[0-9]{4}-[0-9]{2}-[0-9]{2}$/.test(text)) return false;
  const date = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text);
}
