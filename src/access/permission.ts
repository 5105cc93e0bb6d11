/** Every permission there is. Those on a credential are granted for name patterns. */
export const PERMISSIONS = [
  'credential:list',
  'credential:import',
  'credential:promote',
  'credential:rotate',
  'credential:lease',
  'credential:reveal',
  'credential:retire',
  'credential:destroy',
  'companion:write',
  'store:migrate',
  'hold:place',
  'hold:lift',
  'hold:list',
  'audit:read',
  'token:create',
  'token:revoke',
  'token:list',
  'policy:reload',
  'metrics:read',
  'backup:take',
  'notify:test',
] as const;
export type Permission = (typeof PERMISSIONS)[number];

export function isPermission(text: string): text is Permission {
  return (PERMISSIONS as readonly string[]).includes(text);
}

/** Who asks: `service:payments` or `person:alice`. */
export interface Principal {
  readonly id: string;
  readonly kind: 'service' | 'person';
}

/** Only a person can hold these, whatever a binding says: each changes what others may get, or shows a key. */
const PERSON_ONLY: ReadonlySet<Permission> = new Set([
  'credential:import',
  'credential:promote',
  'credential:reveal',
  'credential:retire',
  'credential:destroy',
  'companion:write',
  'store:migrate',
  'hold:lift',
  'token:create',
  'policy:reload',
]);

/** Never about one credential: only a binding on all credentials (`**`) grants them. */
const ABOUT_NO_CREDENTIAL: ReadonlySet<Permission> = new Set([
  'store:migrate',
  'audit:read',
  'token:create',
  'token:revoke',
  'token:list',
  'policy:reload',
  'metrics:read',
  'backup:take',
  'notify:test',
]);

export function isPersonOnly(permission: Permission): boolean {
  return PERSON_ONLY.has(permission);
}

export function isAboutNoCredential(permission: Permission): boolean {
  return ABOUT_NO_CREDENTIAL.has(permission);
}
