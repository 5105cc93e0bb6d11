/** Every permission there is. Those on a credential are granted for name patterns. */
export const PERMISSIONS = [
  'credential:list',
  'credential:import',
  'credential:promote',
  'credential:lease',
  'credential:reveal',
  'companion:write',
  'hold:place',
  'hold:lift',
  'hold:list',
  'audit:read',
  'token:create',
  'token:revoke',
  'token:list',
  'policy:reload',
  'metrics:read',
] as const;
export type Permission = (typeof PERMISSIONS)[number];

/** Who asks: `service:payments` or `person:alice`. */
export interface Principal {
  readonly id: string;
  readonly kind: 'service' | 'person';
}
