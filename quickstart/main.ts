/**
 * The whole path, for real and on this machine alone: about a minute. `--keep` leaves the folder to look around in,
 * `--store vault` and `--store aws` keep the keys in a real OpenBao and in an emulated AWS instead of the own file.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { parse, stringify } from 'yaml';
import { type Partner, startPartner } from '../test/fakes/partner/partner.ts';
import { Narrator } from './narrator.ts';
import { Keyturn, Service } from './programs.ts';
import { bringServers } from './servers.ts';
import { STORES, type StoreName, startStore } from './store/store.ts';
import { changeOneByte, cutTail } from './tamper.ts';

const { keep, store: storeName } = options();
if (storeName !== 'file') bringServers();
const narrator = new Narrator();
const home = await mkdtemp(join(tmpdir(), 'keyturn-quickstart-'));
const keyturn = new Keyturn(narrator, home);
await using cleanUp = new AsyncDisposableStack();
if (!keep) cleanUp.defer(() => rm(home, { recursive: true, force: true }));

const partner = await startThePartner();
const store = await startStore(storeName, home, narrator);
if (store !== null) cleanUp.use(store);
await makeAnInstance();
await importTheZips('keycert-1.zip');
await showWhereTheKeyRests();
await admitPayments();
const service = await callThePartner();
await refuseOutsiders();
await rotateWhileCallsGoOn(service);
await freezeTheKey(service);
await showTheTrail();
howToGoOn();

function options(): { keep: boolean; store: StoreName } {
  const { values } = parseArgs({ options: { keep: { type: 'boolean' }, store: { type: 'string', default: 'file' } } });
  const found = STORES.find((name) => name === values.store);
  if (found !== undefined) return { keep: values.keep ?? false, store: found };
  process.stderr.write(`There is no store "${values.store}" here: ${STORES.join(', ')}.\n`);
  process.exit(2);
}

async function startThePartner(): Promise<Partner> {
  narrator.step('The partner: a local stand-in for Lean, with a portal and an API that asks for a client certificate');
  const started = await startPartner();
  cleanUp.defer(() => started.stop());
  narrator.say(`portal ${started.portalUrl}   API ${started.mtlsUrl} (mTLS)   ${started.tokenUrl} (token only)`);
  return started;
}

async function makeAnInstance(): Promise<void> {
  narrator.step('A Keyturn instance: encrypted key file, ledger, audit log, a CA for its own listener');
  await keyturn.run(['init', '--admin', 'alice', '--port', '0']);
  // The profile says whom the credential may call; leases are short here so that the story is.
  await edit('policies/partners/lean.yaml', (profile) => {
    const environments = profile['environments'] as Record<string, Record<string, unknown>>;
    const endpoints = [
      { url: partner.mtlsUrl, mtls: true },
      { url: partner.tokenUrl, mtls: false },
    ];
    const { sandbox = {} } = environments;
    const test = { ...(sandbox['test'] as object), endpoint: partner.mtlsUrl };
    // This partner lets two certificates live, and a revocation of it holds at once.
    const issuance = { ...(sandbox['issuance'] as object), live: 2 };
    const revocation = { ...(sandbox['revocation'] as object), propagation: '1s' };
    const changed = { ...sandbox, endpoints, test, issuance, revocation };
    return { ...profile, environments: { ...environments, sandbox: changed } };
  });
  const quick = { leases: { default: '6s', maximum: '1h' }, rotation: { 'longest-request': '1s' } };
  await edit('keyturn.yaml', (config) => ({ ...config, ...quick }));
  if (store !== null) await nameTheStore(store.setting);
  const server = await keyturn.server();
  cleanUp.defer(() => {
    server.kill('SIGTERM');
  });
}

async function nameTheStore(setting: Readonly<Record<string, unknown>>): Promise<void> {
  const added = { stores: { [storeName]: setting }, 'default-store': storeName };
  narrator.say('new keys are to go there; keyturn.yaml, which holds no secret, gets:');
  narrator.output(stringify(added), 16);
  await edit('keyturn.yaml', (config) => ({ ...config, ...added }));
}

async function showWhereTheKeyRests(): Promise<void> {
  if (store === null) return;
  narrator.step('Where the key rests: there, and the own file holds nothing but the log’s key and the CA’s');
  for (const line of await store.show('versions/lean/sandbox/1')) narrator.say(line);
  const { out } = await keyturn.run(['doctor'], { code: 10, lines: 12 });
  narrator.check(out.includes('key store content: 2 records'), 'two records in the own file');
}

async function importTheZips(name: string): Promise<void> {
  narrator.step('The two zips from the partner’s portal go into the key store; nothing is unpacked to disk');
  await fetchKeyAndCertificate(name);
  const chain = await fetch(`${partner.portalUrl}/apps/my_app/certificate-chain`);
  await writeFile(join(home, 'chain.zip'), Buffer.from(await chain.arrayBuffer()), { mode: 0o600 });
  await keyturn.run(
    ['import', 'lean/sandbox', '--zip', name, '--chain', 'chain.zip', '--environment', 'sandbox', '--remove-source'],
    { lines: 9 },
  );
  await writeFile(join(home, 'app-token.txt'), partner.appToken, { mode: 0o600 });
  await keyturn.run(['companion', 'set', 'lean/sandbox', 'lean-app-token', '--file', 'app-token.txt']);
  await rm(join(home, 'app-token.txt'));
}

async function fetchKeyAndCertificate(name: string): Promise<void> {
  narrator.say('in the portal: “Generate new certificate”');
  const answer = await fetch(`${partner.portalUrl}/apps/my_app/certificate`, { method: 'POST' });
  await writeFile(join(home, name), Buffer.from(await answer.arrayBuffer()), { mode: 0o600 });
}

async function admitPayments(): Promise<void> {
  narrator.step('payments may borrow it: a role in a policy file, a token, a connection file');
  await edit('policies/access/bindings.yaml', (file) => ({
    bindings: [
      ...(file['bindings'] as unknown[]),
      {
        id: 'payments-sandbox',
        role: 'service',
        principals: ['service:payments'],
        credentials: ['lean/sandbox'],
        comment: 'payments calls Lean from staging',
      },
    ],
  }));
  await keyturn.run(['policy', 'reload']);
  await keyturn.run(['can-i', 'credential:lease', 'lean/sandbox', '--as', 'service:payments']);
  await keyturn.run(['token', 'create', 'service:payments', '--out', 'payments', '--ttl', '1d']);
}

async function callThePartner(): Promise<Service> {
  narrator.step('payments, a process of its own with axios and no key file, calls both endpoints');
  const started = new Service(home, [partner.mtlsUrl, partner.tokenUrl]);
  cleanUp.defer(() => started.stop());
  await started.until((told) => told.filter(({ kind, ok }) => kind === 'call' && ok).length >= 20);
  const [first] = partner.seen;
  narrator.say(`the partner saw certificate ${first?.serial}`);
  narrator.check(
    started.calls().every(({ ok }) => ok),
    `${started.calls().length} calls, none failed`,
  );
  return started;
}

async function refuseOutsiders(): Promise<void> {
  narrator.step('Outsiders');
  const status = await callWithoutCertificate();
  narrator.check(status !== '200', `a call without a certificate fails at the partner (${status})`);
  await keyturn.run(['token', 'create', 'service:reports', '--out', 'reports', '--ttl', '1d']);
  const refused = await keyturn.run(
    ['lease', 'lean/sandbox', '--connection', 'reports.connection.json', '--token-file', 'reports.token'],
    { code: 3 },
  );
  narrator.check(refused.out.includes('permission_denied'), 'a service without a grant gets no key');
}

function callWithoutCertificate(): Promise<string> {
  return new Promise((resolve) => {
    const call = request(`${partner.mtlsUrl}/banks/v1`, {
      ca: partner.chainPem,
      headers: { 'lean-app-token': partner.appToken },
    });
    call.on('response', (response) => {
      response.resume();
      resolve(String(response.statusCode));
    });
    call.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    call.end();
  });
}

async function rotateWhileCallsGoOn(payments: Service): Promise<void> {
  narrator.step(
    'The certificate is rotated while the calls go on: tried, swapped in, the old one revoked and proven dead',
  );
  const before = payments.calls().length;
  const oldSerial = partner.seen.at(-1)?.serial ?? '';
  await keyturn.run(['rotate', 'lean/sandbox', '--plan'], { lines: 20 });
  await keyturn.run(['rotate', 'lean/sandbox', '--reason', 'the first one was made by hand'], { lines: 6 });
  await fetchKeyAndCertificate('keycert-2.zip');
  await keyturn.run(
    ['import', 'lean/sandbox', '--zip', 'keycert-2.zip', '--environment', 'sandbox', '--remove-source'],
    { lines: 2 },
  );
  await payments.until(() => serialsSince(oldSerial).length > 0);
  const newSerial = serialsSince(oldSerial).at(-1);
  narrator.say(`the partner saw ${oldSerial}, then ${newSerial}; when the old one is drained, a person has a task:`);
  const task = await openTask('revoke');
  await keyturn.run(['task', 'list'], { lines: 24 });
  await partner.revoke(oldSerial);
  narrator.say('(the partner does as it was asked)');
  await keyturn.run(['task', 'done', task, '--note', 'confirmed by the partner']);
  await rotationIs('completed');
  await keyturn.run(['rotation', 'show', 'lean/sandbox']);
  const failed = payments
    .calls()
    .slice(before)
    .filter(({ ok }) => !ok);
  narrator.check(
    partner.refused.length > 0,
    'the partner was seen to refuse the old certificate, and took the new one',
  );
  narrator.check(failed.length === 0, `${payments.calls().length - before} calls during the rotation, none failed`);
}

/** The id of the open task of this kind, once there is one. */
async function openTask(kind: string): Promise<string> {
  const { tasks } = await rotationWhere(({ tasks }) =>
    tasks.some((task) => task.kind === kind && task.state === 'open'),
  );
  return tasks.find((task) => task.kind === kind && task.state === 'open')?.id ?? '';
}

function rotationIs(state: string): Promise<Rotation> {
  return rotationWhere((rotation) => rotation.state === state);
}

/** Looks until it is so, as a program would. */
async function rotationWhere(isSo: (rotation: Rotation) => boolean): Promise<Rotation> {
  for (const end = performance.now() + 60_000; ; ) {
    const { out } = await keyturn.quietly(['rotation', 'show', 'lean/sandbox', '--json']);
    const rotation = JSON.parse(out) as Rotation;
    if (isSo(rotation)) return rotation;
    if (performance.now() > end) throw new Error(`The rotation stands: ${out}`);
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}

interface Rotation {
  readonly state: string;
  readonly tasks: readonly { readonly id: string; readonly kind: string; readonly state: string }[];
}

/** Serials other than the old one that the partner has seen. */
function serialsSince(oldSerial: string | undefined): string[] {
  return partner.seen.flatMap(({ serial }) => (serial !== null && serial !== oldSerial ? [serial] : []));
}

async function freezeTheKey(payments: Service): Promise<void> {
  narrator.step('The version is frozen: the service’s calls fail closed, with the reason');
  await keyturn.run(['freeze', 'lean/sandbox', '--version', '2', '--reason', 'seen in a paste'], { lines: 2 });
  await payments.until((told) => told.some(({ kind, ok }) => kind === 'call' && ok === false));
  const failure = payments.calls().find(({ ok }) => !ok);
  narrator.output(`payments: [${failure?.code}] ${failure?.text}`);
  narrator.check(failure?.code === 'held', 'no call goes out on the frozen key any more');
  await payments.stop();
}

async function showTheTrail(): Promise<void> {
  narrator.step('The trail, verified offline with nothing but the log’s public key');
  await keyturn.run(['audit', 'tail', '--lines', '8']);
  await keyturn.run(['audit', 'export', 'trail.log']);
  await keyturn.run(['audit', 'verify', 'trail.log', '--since', 'checkpoint/checkpoint']);
  const index = await changeOneByte(join(home, 'trail.log'), join(home, 'changed.log'), 'lease.granted');
  narrator.say(`one byte of entry ${index} in a copy is changed:`);
  const changed = await keyturn.run(['audit', 'verify', 'changed.log'], { code: 1, lines: 3 });
  narrator.check(changed.out.includes(`${index}`), `verify names entry ${index}`);
  await cutTail(join(home, 'trail.log'), join(home, 'cut.log'));
  narrator.say('the tail of another copy is cut at an earlier checkpoint, every signature in it right:');
  const cut = await keyturn.run(['audit', 'verify', 'cut.log', '--since', 'checkpoint/checkpoint'], {
    code: 1,
    lines: 3,
  });
  narrator.check(cut.out.includes('NOT INTACT'), 'the checkpoint kept outside shows the cut');
}

function howToGoOn(): void {
  process.stdout.write(`
Done in ${narrator.seconds} s, all of it for real. With a real partner:

  npm run keyturn -- init --home ~/keyturn --admin $USER     make an instance
  npm run keyturn -- server --home ~/keyturn                 serve it
  npm run keyturn -- --home ~/keyturn import lean/sandbox --zip KEYCERT.zip --chain CHAIN.zip
                                                             what the partner’s portal handed out
  README.md, “With a real partner”, goes on from there: roles, tokens, the client library, backups.
`);
}

async function edit(file: string, change: (content: Record<string, unknown>) => unknown): Promise<void> {
  const path = join(home, file);
  await writeFile(path, stringify(change(parse(await readFile(path, 'utf8')) as Record<string, unknown>)));
}
