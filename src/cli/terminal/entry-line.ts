/** An audit entry as one line for people: time, index, kind, actor, what it is about, the facts. */
export function entryLine(entry: Readonly<Record<string, unknown>>): string {
  const { time, index, kind, actor, credential, version, data } = entry;
  const about =
    typeof credential === 'string' ? ` ${credential}${typeof version === 'number' ? `@${version}` : ''}` : '';
  return `${String(time)}  #${String(index)}  ${String(kind).padEnd(24)} ${String(actor)}${about}  ${factsOf(data)}`.trimEnd();
}

function factsOf(data: unknown): string {
  if (typeof data !== 'object' || data === null) return '';
  return Object.entries(data)
    .filter(([, value]) => typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
    .map(([name, value]) => `${name}=${quoted(String(value).slice(0, 48))}`)
    .join(' ');
}

/** What a person wrote must not read as further facts. */
function quoted(value: string): string {
  return /[\s"]/.test(value) ? JSON.stringify(value) : value;
}
