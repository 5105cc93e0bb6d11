import { certificatesIn } from '../certificates.ts';
import type { Asked, Awaited, IssueRequest, IssuerDriver, RevokeRequest } from '../driver.ts';

const GIVEN_STEPS = 'Import what the partner hands out: keyturn import';

/** The issuer is a person at the partner: nothing is called, and every answer says what has to be done. */
export function openManualIssuer(): IssuerDriver {
  return {
    description: 'manual',
    can: {
      keyMadeBy: ['partner', 'keyturn'],
      answers: 'awaited',
      finds: false,
      sameAnswerSeconds: Number.POSITIVE_INFINITY,
      revokes: 'asking',
      keepsReason: false,
      publishesRevocations: false,
    },
    issue: async (request) => awaited(request),
    find: async () => null,
    revoke: async (request) => asked(request),
    health: async () => ({ ready: true, detail: '' }),
    close: async () => {},
  };
}

function awaited({ request, byHand, credential }: IssueRequest): Awaited {
  const { partner, contact, steps } = byHand;
  const own = request === null ? stepsForTheirKey(partner) : stepsForOurKey(partner);
  // A certificate for a key of ours is no import: whoever holds the request says how it comes back.
  const last = request === null ? [`${GIVEN_STEPS} ${credential}`] : [];
  return {
    kind: 'awaited',
    steps: [...(steps.length === 0 ? own : steps), ...last],
    request: request?.pem ?? null,
    contact,
  };
}

function stepsForTheirKey(partner: string): string[] {
  return [
    `Generate a new certificate in the portal of ${partner}, or ask for one.`,
    'Download key, certificate and chain: zip, PKCS#12 or PEM.',
  ];
}

function stepsForOurKey(partner: string): string[] {
  return [
    `Hand the certificate request to ${partner}; it holds no secret.`,
    'Wait for the certificate and its chain; the private key stays here.',
  ];
}

/** Serial and fingerprint name the certificate whatever the partner keeps. */
function asked({ certificate, reason, byHand }: RevokeRequest): Asked {
  const [found] = certificatesIn(certificate);
  const { partner, contact } = byHand;
  const names = found === undefined ? [] : [`Serial: ${found.serial}`, `SHA-256 fingerprint: ${found.fingerprint}`];
  return {
    kind: 'asked',
    steps: [`Ask ${partner} to revoke this certificate (${reason}).`, ...names],
    contact,
  };
}
