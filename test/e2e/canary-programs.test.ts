import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { Keyturn } from '../cli/keyturn.ts';
import { type Partner, startPartner } from '../fakes/partner/partner.ts';
import { filesUnder } from './canary/files.ts';
import { searchMemory, startOf } from './canary/process-memory.ts';
import { ServerProgram, ServiceProgram } from './canary/programs.ts';
import { Searcher, told } from './canary/search/searcher.ts';
import { Planted, strayKey } from './canary/story/planted.ts';
import { TestInstance } from './instance.ts';

const CREDENTIAL = 'lean/sandbox';
const REVEALER = { roles: [{ name: 'revealer', title: 'Moves keys', permissions: ['credential:reveal'] }] };

const planted = new Planted();
/** What commands printed, by what was run. */
const printed = new Map<string, string>();
let folder: string;
let partner: Partner;
let keyturn: TestInstance;
let cli: Keyturn;
let server: ServerProgram;
let service: ServiceProgram;
let searcher: Searcher;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'canary-programs-'));
  for (const name of ['looked-into', 'temporary']) await mkdir(join(folder, name));
  partner = await startPartner();
  keyturn = await TestInstance.start({ leases: { default: '5m', maximum: '1h' } });
  await planted.of(keyturn);
  await keyturn.meet(partner);
  await writeFile(join(keyturn.home, 'policies', 'access', 'own-roles.yaml'), stringify(REVEALER));
  await keyturn.grant('person:alice', 'revealer');
  const token = planted.token('service’s token', await keyturn.grant('service:payments', 'service'));
  cli = await Keyturn.at(keyturn.home);
  await cli.write('payments.token', token);
  await keyturn.serving.stop();
  server = await ServerProgram.start(keyturn.home, join(folder, 'looked-into'), join(folder, 'temporary'));
  await useTheCli();
  service = await startService();
  searcher = new Searcher(planted.canaries);
}, 60_000);

afterAll(async () => {
  await service.stop();
  await server.stop();
  await partner.stop();
  await keyturn.stop();
  await cli[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

function startService(): Promise<ServiceProgram> {
  const connection = join(keyturn.home, 'admin', 'connection.json');
  const args = [connection, cli.path('payments.token'), partner.mtlsUrl] as const;
  return ServiceProgram.start(args, join(folder, 'looked-into'), join(folder, 'temporary'));
}

/** What a person does with secrets at a terminal, right and wrong. */
async function useTheCli(): Promise<void> {
  const first = await partner.portal.generate();
  const key = planted.key('leased key', first.keyPem);
  const encrypted = key.export({ format: 'pem', type: 'pkcs8', cipher: 'aes-256-cbc', passphrase: planted.passphrase });
  planted.key('stray key', strayKey());
  await cli.write('key.pem', String(encrypted));
  await cli.write('stray.pem', planted.pem('stray key'));
  await cli.write('cert.pem', first.certificatePem + partner.chainPem);
  await cli.write('password', planted.passphrase);
  await cli.write('wrong', planted.wrongPassphrase);
  await cli.write('app-token', planted.appToken);
  const upload = ['import', CREDENTIAL, '--environment', 'sandbox', '--pem', 'cert.pem', '--pem'];
  await print(upload.concat('stray.pem'), 1);
  await print(upload.concat('key.pem', '--password-file', 'wrong'), 1);
  await print(upload.concat('key.pem', '--password-file', 'password', '--json'));
  await print(['companion', 'set', CREDENTIAL, 'lean-app-token', '--file', 'app-token']);
  await print(['lease', CREDENTIAL, '--token-file', 'password'], 1);
  await print(['reveal', CREDENTIAL, '1', '--reason', 'a test', '--out', 'revealed.pem']);
}

async function print(args: readonly string[], worse = 0): Promise<void> {
  const { code, out, err } = await cli.run(args);
  printed.set(args.join(' '), out + err);
  if (worse === 0 ? code !== 0 : code === 0) throw new Error(`keyturn ${args.join(' ')}: ${code} ${out}${err}`);
}

function inOctets(octets: Buffer | string): string[] {
  return told(searcher.find(octets));
}

async function inTemporary(): Promise<string[]> {
  const files = await filesUnder(join(folder, 'temporary'));
  return [...files].flatMap(([path, content]) => inOctets(content).map((each) => `${path}: ${each}`));
}

/** Whatever a program holds that prints nothing of it. */
const SURFACES: Readonly<Record<string, () => Promise<string[]> | string[]>> = {
  'what commands print': () => inOctets([...printed.values()].join('\n')),
  'what the server prints': () => inOctets(server.output),
  'how the server was started': async () => inOctets(await startOf(server.pid)),
  'the server’s diagnostic report': async () => inOctets(await server.report()),
  'the server’s heap': async () => inOctets(await server.heapSnapshot()),
  'every object and error of the service': async () => inOctets(await service.order('show')),
  'what the service prints': () => inOctets(service.output),
  'how the service was started': async () => inOctets(await startOf(service.pid)),
  'the service’s diagnostic report': async () => inOctets(await service.report()),
  'the service’s heap': async () => inOctets(await service.heapSnapshot()),
  'the folder for temporary files': inTemporary,
};

describe('nothing secret shows', () => {
  test.each(Object.entries(SURFACES))('in %s', async (_, find) => {
    expect(await find()).toEqual([]);
  });
});

describe('a leak is found', () => {
  const leak = () => planted.pem('stray key');

  test('in what commands print: a key revealed to standard output', async () => {
    const { out } = await cli.run(['reveal', CREDENTIAL, '1', '--reason', 'a test', '--out', '-']);
    expect(inOctets(out)).toContain('leased key: line of PEM ×1');
  });

  test('in what programs print, and in their objects', async () => {
    await service.order('print', leak());
    await expect.poll(() => inOctets(service.output)).not.toEqual([]);
    expect(inOctets(await service.order('show a leak', leak()))).not.toEqual([]);
  });

  test('in how a program was started, by environment and by command line', async () => {
    const idle = ['-e', 'setInterval(() => {}, 1000)'];
    for (const [args, env] of [
      [idle.concat('--', leak()), {}],
      [idle, { KEY: leak() }],
    ] as const) {
      const child = spawn(process.execPath, args, { env, stdio: 'ignore' });
      await once(child, 'spawn');
      await expect.poll(async () => inOctets(await startOf(child.pid ?? 0))).not.toEqual([]);
      child.kill('SIGKILL');
    }
  });

  test('in a diagnostic report, which tells the environment', async () => {
    await service.order('put into the environment', leak());
    expect(inOctets(await service.report())).not.toEqual([]);
  });

  test('in a heap, where a string is kept: a secret that somebody made the comment of a token', async () => {
    const comment = leak().split('\n').slice(8, 10).join('');
    const token = ['token', 'create', 'service:other', '--out', 'other', '--ttl', '1d', '--comment', comment];
    expect(await cli.run(token)).toMatchObject({ code: 0 });
    expect(inOctets(await server.heapSnapshot())).not.toEqual([]);
  });

  test('in the folder for temporary files', async () => {
    await writeFile(join(folder, 'temporary', 'unpacked.pem'), leak());
    expect(await inTemporary()).not.toEqual([]);
  });
});

describe('the memory of a service, every page that it can write', () => {
  /** What is left of keys, by encoding. The API token is a string in a header, and not promised. */
  const left = async () => {
    await service.order('collect');
    const findings = await searchMemory(service.pid, planted.canaries);
    return findings.filter(({ canary }) => canary === 'leased key' || canary === 'app token');
  };

  /** Whether what is left is what is kept on purpose: the key as OpenSSL’s numbers, the app token in its three pieces. */
  const isAsKept = (found: Awaited<ReturnType<typeof left>>) =>
    found.every(({ canary, encoding, count }) =>
      canary === 'app token' ? count <= 3 : encoding === 'octets, reversed',
    );

  /**
   * Node frees what it decrypted into, and OpenSSL what it read a key from, without wiping it; now and then, by chance,
   * nothing takes the place of that. What our own code forgot to wipe would lie about in every process.
   */
  const leftInEach = async (processes: number) => {
    for (let one = 1; one < processes; one += 1) {
      const found = await left();
      if (isAsKept(found)) return found;
      await service.stop();
      service = await startService();
      for (let calls = 0; calls < 3; calls += 1) await service.order('show');
    }
    return left();
  };

  test('holds the leased key as OpenSSL’s numbers alone, and the app token once', { timeout: 120_000 }, async () => {
    const found = await leftInEach(6);
    const encodings = found.filter(({ canary }) => canary === 'leased key').map(({ encoding }) => encoding);
    expect(encodings).toEqual(['octets, reversed']);
    // Six numbers of three pieces each; both primes stand in a Montgomery context as well.
    expect(found.find(({ canary }) => canary === 'leased key')?.count).toBeLessThanOrEqual(24);
    expect(found.find(({ canary, encoding }) => canary === 'app token' && encoding === 'octets')?.count).toBe(3);
  });

  test('holds neither when the credential is closed', async () => {
    await service.order('close');
    expect(await left()).toEqual([]);
  });

  test('the control: a key that is kept as a string is found there', async () => {
    await service.order('hold', planted.pem('leased key'));
    const found = await left();
    expect(found.map(({ encoding }) => encoding)).toContain('line of PEM');
    expect(inOctets(await service.heapSnapshot())).not.toEqual([]);
  });
});
