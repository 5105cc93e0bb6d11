/** An entry of the log, as far as it is looked at. */
export interface Recorded {
  readonly kind: string;
  readonly version?: number;
  readonly data: Readonly<Record<string, unknown>>;
}

/**
 * What the log alone shows to be wrong: two versions current at a time; the old one revoked before the partner accepted
 * the new one; an old key destroyed before its certificate was proven dead; a certificate asked for before it was on
 * record that it would be.
 */
export function logFaults(log: readonly Recorded[]): string[] {
  return [...swapFaults(log), ...orderFaults(log), ...intentFaults(log)];
}

/** The log says of each promotion what was current before: it has to be what the one before made current. */
function swapFaults(log: readonly Recorded[]): string[] {
  let current: number | null = null;
  const faults: string[] = [];
  for (const { kind, version = 0, data } of log) {
    if (kind === 'version.imported' && data['state'] === 'current') {
      if (current !== null) faults.push(`version ${version} came as current beside ${current}`);
      current = version;
    }
    if (kind !== 'version.promoted') continue;
    if (data['previous'] !== current)
      faults.push(`version ${version} took the place of ${String(data['previous'])}, not of ${current}`);
    current = version;
  }
  return faults;
}

interface Course {
  accepted: boolean;
  promoted: boolean;
  dead: boolean;
  ended: boolean;
  replaces: number | null;
}

function orderFaults(log: readonly Recorded[]): string[] {
  const courses = new Map<string, Course>();
  const faults: string[] = [];
  for (const { kind, version, data } of log) {
    const id = typeof data['rotation'] === 'string' ? data['rotation'] : '';
    if (kind === 'rotation.started') {
      courses.set(id, { accepted: false, promoted: false, dead: false, ended: false, replaces: version ?? null });
      continue;
    }
    const course = courses.get(id);
    if (course === undefined) continue;
    if (course.ended && kind !== 'task.done') faults.push(`${id} was over, and then came ${kind}`);
    if (kind === 'rotation.canary') course.accepted = data['canary'] === 'accepted';
    if (kind === 'version.promoted') course.promoted = true;
    if (kind === 'version.proven-dead') course.dead = true;
    if (kind === 'version.revoked' && !(course.accepted && course.promoted)) {
      faults.push(`${id} had version ${version} revoked before its successor was proven and current`);
    }
    const old = version !== undefined && version === course.replaces;
    if (kind === 'version.destroy-intended' && old && !course.dead) {
      faults.push(`${id} destroyed version ${version} before its certificate was proven dead`);
    }
    course.ended ||= ['rotation.completed', 'rotation.aborted', 'rotation.rolled-back'].includes(kind);
  }
  return [...faults, ...revokedTooEarly(log)];
}

/** At the issuer itself: what is revoked there is no longer current, and was not the only one accepted. */
function revokedTooEarly(log: readonly Recorded[]): string[] {
  const numbers = new Map<string, number>();
  const faults: string[] = [];
  let current: number | null = null;
  for (const { kind, version = 0, data } of log) {
    if (kind === 'version.issued') numbers.set(String(data['serial']), version);
    if (kind === 'version.promoted') current = version;
    if (kind !== 'issuer.revoked' || numbers.get(String(data['serial'])) !== current) continue;
    faults.push(`the issuer revoked version ${current} while it was current`);
  }
  return faults;
}

function intentFaults(log: readonly Recorded[]): string[] {
  const intended = new Set<string>();
  const faults: string[] = [];
  for (const { kind, data } of log) {
    const spki = String(data['spki']);
    if (kind === 'rotation.csr-intended') intended.add(spki);
    if (kind === 'issuer.issued' && !intended.has(spki))
      faults.push(`a certificate for ${spki} came without an intent`);
  }
  return faults;
}
