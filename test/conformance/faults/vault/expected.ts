import { doubtful, HAPPENED, HEALTHY, NOT_HAPPENED, refused } from '../rows.ts';
import type { Row } from '../table.ts';

const STANDBY = (health: string) => refused('standby', 'certain', health);
const UNSPOKEN = (status: number) => `What answered does not say how it is, as Vault does (HTTP ${status})`;
const BROKEN = 'The connection to Vault broke before it answered (ECONNRESET)';
const LATE = 'Vault did not answer in time';
const HTML = (status: number) => `What answered is not Vault: HTTP ${status} with another content than JSON`;

export const EXPECTED: Readonly<Record<string, Row>> = {
  'no fault': HEALTHY,
  sealed: refused('sealed', 'certain', 'Vault is sealed'),
  'sealed later': refused('sealed', 'certain', 'Vault is sealed'),
  'not initialised': refused('sealed', 'certain', 'Vault is not initialised'),
  'down at start': refused('unreachable', 'certain', "Vault can't be reached (ECONNREFUSED)"),
  'down later': refused('unreachable', 'certain', "Vault can't be reached (ECONNREFUSED)"),
  'frozen process': refused('timeout', 'ambiguous', LATE),
  standby: HEALTHY,
  'token revoked': refused(
    'token',
    'certain',
    'Vault does not accept the token from BAO_TOKEN, or its policy lacks "list" on secret/metadata/…/',
  ),
  'credentials expired': refused(
    'token',
    'certain',
    'Vault does not accept the token from BAO_TOKEN, or its policy lacks "list" on secret/metadata/…/',
  ),
  'clock skew': refused('login', 'certain', 'The login by jwt at auth/jwt as keyturn gave no token (HTTP 400)'),
  'policy missing': refused(
    'forbidden',
    'certain',
    'Vault denied list: the policy does not grant "list" on secret/metadata/…/',
  ),
  'mount missing': refused('no_mount', 'certain', 'Vault has nothing mounted at missing/metadata/…/'),
  'KV version 1': {
    write: 'keystore_unavailable (no_mount), certain → 1',
    read: 'absent → 1',
    list: 'done: 0 → 1',
    destroy: 'done → 1',
    health: 'not ready: What is mounted at old/ is not KV version 2, but version 1 → 1',
  },
  'namespace missing': refused('no_mount', 'certain', 'Vault has no such namespace'),
  throttled: refused('throttled', 'certain', 'Vault refused the request for its rate (HTTP 429, secret/metadata/…/)'),
  'wrong CA': refused('tls', 'certain', 'The certificate of Vault is refused (UNABLE_TO_VERIFY_LEAF_SIGNATURE)'),
  'HTTP 412 behind': refused('behind', 'certain', UNSPOKEN(412)),
  'HTTP 429 with a long Retry-After': refused('throttled', 'certain', UNSPOKEN(429)),
  'HTTP 472 secondary': STANDBY('Vault is a disaster-recovery secondary, which serves nothing'),
  'HTTP 473 performance standby': STANDBY(UNSPOKEN(473)),
  'HTTP 474 standby without active': STANDBY('Vault is a standby that has lost its active node'),
  'HTTP 500': refused('server_error', 'ambiguous', UNSPOKEN(500)),
  'HTTP 502 of a proxy, HTML': refused('not_vault', 'ambiguous', HTML(502)),
  'HTTP 530 removed': STANDBY('Vault was removed from its cluster'),
  'wrong content type, 200': refused('not_vault', 'ambiguous', HTML(200)),
  'another JSON, 200': {
    ...refused('no_mount', 'certain', UNSPOKEN(200)),
    list: 'keystore_unavailable (not_vault) → 1',
    destroy: doubtful('no_mount', NOT_HAPPENED).destroy,
  },
  'another JSON, 404': refused('not_vault', 'ambiguous', UNSPOKEN(404)),
  'redirect elsewhere': refused(
    'redirected',
    'certain',
    'Vault redirects to https://127.0.0.1:port, which is not followed',
  ),
  'redirect to a named node': HEALTHY,
  'standby that redirects': refused(
    'redirected',
    'certain',
    'Vault redirects to https://127.0.0.1:port, which is not followed',
  ),
  'standby that redirects to a named node': HEALTHY,
  hang: refused('timeout', 'ambiguous', LATE),
  'reset before the server heard': refused('lost', 'ambiguous', BROKEN),
  'truncated body': { ...refused('lost', 'ambiguous', BROKEN), destroy: doubtful('lost', HAPPENED).destroy },
  'shortened body': {
    ...refused('not_vault', 'ambiguous', 'What answered is not Vault: its answer is no JSON object'),
    destroy: doubtful('not_vault', HAPPENED).destroy,
  },
  'slow but in time': HEALTHY,
  'too slow': { ...refused('timeout', 'ambiguous', LATE), destroy: doubtful('timeout', HAPPENED).destroy },
  // What became of a change whose answer was lost is found out by reading.
  'lost answers of changes': HEALTHY,
  'late answers of changes': HEALTHY,
  'reset of changes': { ...HEALTHY, ...doubtful('lost', NOT_HAPPENED) },
  'denied in the middle of a write': {
    ...HEALTHY,
    write: 'keystore_unavailable (forbidden), certain → 1',
    destroy: 'keystore_unavailable (forbidden), certain → 1',
  },
  'denied after the change': { ...HEALTHY, ...doubtful('forbidden', HAPPENED) },
  'sealed after the change': { ...HEALTHY, ...doubtful('sealed', HAPPENED) },
  'server certificate expired': refused('tls', 'certain', 'The certificate of Vault is refused (CERT_HAS_EXPIRED)'),
  'server certificate not yet valid': refused(
    'tls',
    'certain',
    'The certificate of Vault is refused (CERT_NOT_YET_VALID)',
  ),
};
