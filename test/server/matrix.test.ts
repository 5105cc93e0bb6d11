import { crc32 } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Stage } from '../credential/stage.ts';
import { edit } from '../e2e/instance.ts';

/** Who may do what, reviewed by people: every operation of the API must stand here. */
type Role = 'service' | 'operator' | 'responder' | 'approver' | 'auditor' | 'administrator' | 'backup' | 'revealer';
const ROLES: readonly Role[] = [
  'service',
  'operator',
  'responder',
  'approver',
  'auditor',
  'administrator',
  'backup',
  'revealer',
];
const EVERYBODY = ROLES;

interface Operation {
  readonly method: string;
  readonly path: string;
  /** Roles that are let through; `open` needs no token. Whatever is let through may still be refused for its content. */
  readonly may: readonly Role[] | 'open';
  readonly json?: object;
  readonly octets?: boolean;
  readonly form?: boolean;
}

const KEY = 'A'.repeat(43);
const CREDENTIAL = '/v1/credentials/lean%2Fsandbox';
const SOME = '0'.repeat(32);

const OPERATIONS: Readonly<Record<string, Operation>> = {
  live: { method: 'GET', path: '/livez', may: 'open' },
  ready: { method: 'GET', path: '/readyz', may: 'open' },
  metrics: { method: 'GET', path: '/metrics', may: 'open' },
  openapi: { method: 'GET', path: '/openapi.json', may: 'open' },
  showAuthority: { method: 'GET', path: '/v1/issuers/house-ca/authority.pem', may: 'open' },
  showRevocationList: { method: 'GET', path: '/v1/issuers/house-ca/revoked.pem', may: 'open' },
  runtime: { method: 'GET', path: '/v1/runtime', may: EVERYBODY },
  // Let through, and refused for the name: a watch has no end.
  watch: { method: 'GET', path: '/v1/watch?credential=UPPER', may: EVERYBODY },
  whoAmI: { method: 'GET', path: '/v1/whoami', may: EVERYBODY },
  canI: { method: 'POST', path: '/v1/can-i', may: EVERYBODY, json: { permission: 'credential:lease' } },
  listCredentials: { method: 'GET', path: '/v1/credentials', may: EVERYBODY },
  showCheckpoint: { method: 'GET', path: '/v1/audit/checkpoint', may: EVERYBODY },
  listHolds: { method: 'GET', path: '/v1/holds', may: EVERYBODY },
  showCredential: {
    method: 'GET',
    path: CREDENTIAL,
    may: ['operator', 'responder', 'approver', 'auditor', 'administrator', 'revealer'],
  },
  importVersion: { method: 'POST', path: `${CREDENTIAL}/versions`, may: ['operator'], form: true },
  adoptVersion: { method: 'POST', path: `${CREDENTIAL}/adoptions`, may: ['operator'], form: true },
  promoteVersion: { method: 'POST', path: `${CREDENTIAL}/versions/99/promote`, may: ['operator'] },
  revealKey: {
    method: 'POST',
    path: `${CREDENTIAL}/versions/99/reveal`,
    may: ['revealer'],
    json: { hpkePublicKey: KEY, reason: 'matrix' },
  },
  retireVersion: { method: 'POST', path: `${CREDENTIAL}/versions/99/retire`, may: ['operator'], json: {} },
  planRotation: { method: 'GET', path: `${CREDENTIAL}/rotation/plan`, may: ['operator'] },
  startRotation: { method: 'POST', path: `${CREDENTIAL}/rotation`, may: ['operator'], json: { reason: 'matrix' } },
  showRotation: {
    method: 'GET',
    path: `${CREDENTIAL}/rotation`,
    may: ['operator', 'responder', 'approver', 'auditor', 'administrator', 'revealer'],
  },
  listRotations: { method: 'GET', path: '/v1/rotations', may: EVERYBODY },
  forecastRotations: { method: 'GET', path: '/v1/rotations/forecast', may: EVERYBODY },
  attachCertificate: { method: 'POST', path: `${CREDENTIAL}/rotation/certificate`, may: ['operator'], form: true },
  abortRotation: {
    method: 'POST',
    path: `${CREDENTIAL}/rotation/abort`,
    may: ['operator'],
    json: { reason: 'matrix' },
  },
  rollBackRotation: {
    method: 'POST',
    path: `${CREDENTIAL}/rotation/roll-back`,
    may: ['operator'],
    json: { reason: 'matrix' },
  },
  resumeRotation: {
    method: 'POST',
    path: `${CREDENTIAL}/rotation/resume`,
    may: ['operator'],
    json: { reason: 'matrix' },
  },
  retryRotation: {
    method: 'POST',
    path: `${CREDENTIAL}/rotation/retry`,
    may: ['operator'],
    json: { reason: 'matrix' },
  },
  waive: {
    method: 'POST',
    path: `${CREDENTIAL}/rotation/waivers`,
    may: ['operator'],
    json: { what: 'proof', reason: 'matrix' },
  },
  // An id alone gives no right; those of tasks that there are decide by their credential.
  listTasks: { method: 'GET', path: '/v1/tasks', may: EVERYBODY },
  completeTask: { method: 'POST', path: `/v1/tasks/task_${SOME}/done`, may: EVERYBODY, json: { note: 'matrix' } },
  destroyVersion: { method: 'POST', path: `${CREDENTIAL}/versions/99/destroy`, may: ['operator'] },
  listStores: {
    method: 'GET',
    path: '/v1/stores',
    may: ['operator', 'responder', 'approver', 'auditor', 'administrator', 'revealer'],
  },
  planMoves: { method: 'POST', path: '/v1/stores/file/plan', may: ['operator'], json: { to: 'absent' } },
  moveRecord: {
    method: 'POST',
    path: '/v1/stores/file/moves',
    may: ['operator'],
    json: { to: 'absent', record: 'versions/lean/sandbox/1' },
  },
  listCopies: { method: 'GET', path: '/v1/copies', may: ['operator'] },
  destroyCopy: { method: 'DELETE', path: `/v1/copies/move_${SOME}`, may: ['operator'] },
  setCompanion: { method: 'PUT', path: `${CREDENTIAL}/companions/UPPER`, may: ['operator'], octets: true },
  grantLease: { method: 'POST', path: `${CREDENTIAL}/leases`, may: ['service'], json: { hpkePublicKey: KEY, seen: 0 } },
  // Of leases everybody may ask; another's is not found.
  renewLease: {
    method: 'POST',
    path: `/v1/leases/lease_${SOME}/renew`,
    may: EVERYBODY,
    json: { hpkePublicKey: KEY, seen: 0, uses: [] },
  },
  returnLease: { method: 'DELETE', path: `/v1/leases/lease_${SOME}`, may: EVERYBODY },
  freeze: {
    method: 'POST',
    path: '/v1/holds',
    may: ['operator', 'responder'],
    json: { target: 'credential', subject: 'lean/production', reason: 'matrix' },
  },
  thaw: { method: 'POST', path: '/v1/holds/HOLD/thaw', may: ['approver'] },
  createToken: {
    method: 'POST',
    path: '/v1/tokens',
    may: ['administrator'],
    json: { principal: 'service:matrix', ttlSeconds: 60, comment: 'matrix' },
  },
  listTokens: { method: 'GET', path: '/v1/tokens', may: ['administrator', 'auditor'] },
  revokeToken: { method: 'DELETE', path: `/v1/tokens/token_${SOME}`, may: ['administrator'] },
  queryAudit: { method: 'GET', path: '/v1/audit/entries?limit=1', may: ['responder', 'auditor', 'administrator'] },
  exportAudit: { method: 'GET', path: '/v1/audit/export', may: ['responder', 'auditor', 'administrator'] },
  proveEntry: { method: 'GET', path: '/v1/audit/entries/0/receipt', may: ['responder', 'auditor', 'administrator'] },
  takeBackup: { method: 'POST', path: '/v1/backups', may: ['backup'], json: { recipient: 'ktbackup_none' } },
  testNotify: { method: 'POST', path: '/v1/notify/test', may: ['operator', 'administrator'], json: {} },
  reloadPolicy: { method: 'POST', path: '/v1/policy/reload', may: ['administrator'] },
};

let stage: Stage;
let hold: string;
const tokens = new Map<Role, string>();
const spoiled = new Map<string, string | null>();

beforeAll(async () => {
  stage = await Stage.set({ issuers: { 'house-ca': { kind: 'local' } } });
  const { keyturn } = stage;
  // The authority is made when it is first asked for.
  await keyturn.call('GET', '/v1/issuers/house-ca/revoked.pem');
  await stage.import();
  await edit(`${keyturn.home}/policies/access/roles.yaml`, (file) => ({
    roles: [
      ...(file['roles'] as unknown[]),
      { name: 'revealer', title: 'Sees keys', permissions: ['credential:reveal', 'credential:list'] },
    ],
  }));
  for (const role of ROLES) {
    const principal = `${role === 'service' ? 'service' : 'person'}:${role}`;
    tokens.set(role, await keyturn.grant(principal, role, { credentials: ['**'] }));
  }
  hold = String((await stage.freeze('credential', 'lean/production')).body['hold']);
  const good = await keyturn.token('person:alice');
  const revoked = await keyturn.token('person:alice');
  await keyturn.call('DELETE', `/v1/tokens/token_${revoked.split('_')[1]}`);
  const expired = await keyturn.token('person:alice', 60);
  stage.clock.forward(61_000);
  const [prefix, id, secret, check] = good.split('_');
  spoiled.set('none', null);
  spoiled.set('empty', '');
  spoiled.set('malformed', 'x'.repeat(90));
  spoiled.set('cut short', good.slice(0, -1));
  spoiled.set('with a space before', ` ${good}`);
  spoiled.set('in capitals', good.toUpperCase());
  spoiled.set('of another secret', forged(`${prefix}_${id}_${'A'.repeat(43)}`));
  spoiled.set('of another id', forged(`${prefix}_${SOME}_${secret}`));
  spoiled.set('with a wrong checksum', [prefix, id, secret, check === '00000000' ? '11111111' : '00000000'].join('_'));
  spoiled.set('revoked', revoked);
  spoiled.set('expired', expired);
});
afterAll(() => stage.strike());

function forged(body: string): string {
  return `${body}_${crc32(Buffer.from(body)).toString(16).padStart(8, '0')}`;
}

function ask({ method, path, json, octets, form }: Operation, token: string | null) {
  const boundary = 'multipart/form-data; boundary=x';
  const type = octets === true ? 'application/octet-stream' : form === true ? boundary : undefined;
  return stage.keyturn.call(method, path.replace('HOLD', hold), {
    token,
    ...(json === undefined ? {} : { json }),
    ...(type === undefined
      ? {}
      : { raw: Buffer.from(form === true ? '--x--\r\n' : 'x'), headers: { 'content-type': type } }),
  });
}

describe('the complete matrix', () => {
  test('names every operation of the description, with its method and path, and no other', async () => {
    const { body } = await stage.keyturn.call('GET', '/openapi.json', { token: null });
    const described = Object.entries(body['paths'] as Record<string, Record<string, { operationId: string }>>).flatMap(
      ([path, methods]) =>
        Object.entries(methods).map(([method, { operationId }]) => [operationId, method.toUpperCase(), shape(path)]),
    );
    const listed = Object.entries(OPERATIONS).map(([id, { method, path }]) => [id, method, path]);
    expect(described.map(([id, method]) => `${method} ${id}`).sort()).toEqual(
      listed.map(([id, method]) => `${method} ${id}`).sort(),
    );
    for (const [id, , pattern] of described)
      expect(OPERATIONS[String(id)]?.path.split('?')[0]).toMatch(new RegExp(`^${pattern}$`));
  });

  test.each(Object.keys(OPERATIONS))(
    '%s without a valid token is 401 and alike for each, but for the open ones',
    async (id) => {
      const operation = OPERATIONS[id]!;
      const before = stage.desk.ledger.status().size;
      const answers = new Set<string>();
      for (const [kind, token] of spoiled) {
        const reply = await ask(operation, token);
        if (operation.may === 'open') {
          expect([kind, reply.status]).toEqual([kind, 200]);
          continue;
        }
        expect([kind, reply.status, reply.body['code']]).toEqual([kind, 401, 'unauthenticated']);
        expect(reply.headers['www-authenticate']).toBe('Bearer realm="keyturn"');
        const { date: _date, 'x-request-id': requestId, ...headers } = reply.headers;
        answers.add(JSON.stringify(headers) + reply.text.replace(String(requestId), ''));
      }
      expect(answers.size).toBe(operation.may === 'open' ? 0 : 1);
      // Nothing but failed authentications, and few of those, has reached the log.
      const written = await stage.desk.ledger.entries({ from: before, limit: 1_000 });
      expect(
        written
          .map(({ json }) => (JSON.parse(json) as { kind: string }).kind)
          .filter((kind) => kind !== 'authentication.failed'),
      ).toEqual([]);
    },
  );

  test.each(Object.keys(OPERATIONS))('%s is for the roles that the table says', async (id) => {
    const operation = OPERATIONS[id]!;
    for (const role of ROLES) {
      const denials = (await stage.keyturn.entries('access.denied')).length;
      const reply = await ask(operation, tokens.get(role) ?? null);
      const denied = reply.status === 403 && reply.body['code'] === 'permission_denied';
      const may = operation.may === 'open' || operation.may.includes(role);
      expect([id, role, denied ? 'denied' : 'let through', reply.status >= 500]).toEqual([
        id,
        role,
        may ? 'let through' : 'denied',
        false,
      ]);
      if (!denied) continue;
      // A denied freeze does not wait for its entry: this one comes after it.
      await stage.desk.ledger.commit({ entry: { kind: 'test.settled', actor: 'system', data: {} } });
      const entries = await stage.keyturn.entries('access.denied');
      expect(entries.length).toBe(denials + 1);
      expect(entries.at(-1)).toMatchObject({
        request: reply.headers['x-request-id'],
        data: { rule: expect.any(String) },
      });
    }
  });
});

/** A path of the description as a pattern. */
function shape(path: string): string {
  return path.replaceAll(/\{[a-z]+\}/g, '[^/]+');
}
