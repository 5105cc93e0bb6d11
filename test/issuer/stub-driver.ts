import type { IssuerDriver } from '../../src/issuer/driver.ts';

/** A driver whose verbs a test writes; what is left out is not to be called. */
export function stubDriver(verbs: Partial<IssuerDriver>): IssuerDriver {
  const unexpected = async (): Promise<never> => {
    throw new Error('This verb was not to be called.');
  };
  return {
    description: 'stub',
    can: {
      keyMadeBy: ['keyturn'],
      answers: 'at-once',
      finds: true,
      sameAnswerSeconds: 0,
      revokes: 'interface',
      keepsReason: true,
      publishesRevocations: false,
    },
    issue: unexpected,
    find: unexpected,
    revoke: unexpected,
    health: unexpected,
    close: async () => {},
    ...verbs,
  };
}
