import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Credential, connect, type KeyturnClient } from '../../../src/client/index.ts';
import { TestInstance } from '../instance.ts';

/** A real Keyturn with one imported certificate, and a client of it in this process. */
export interface SwapScene extends AsyncDisposable {
  readonly keyturn: TestInstance;
  readonly credential: Credential;
  /** Imports the next certificate, promotes it, and lets the client hear of it as a renewal would. */
  swap(next: Readonly<Record<string, Buffer>>): Promise<void>;
}

export async function startSwapScene(
  endpoints: { readonly mtlsUrl: string; readonly tokenUrl: string },
  first: Readonly<Record<string, Buffer>>,
  options: Parameters<typeof TestInstance.start>[0] = {},
): Promise<SwapScene> {
  const keyturn = await TestInstance.start(options);
  await keyturn.meet(endpoints);
  must(201, await keyturn.import('lean/sandbox', first));
  const token = join(keyturn.home, 'payments.token');
  await writeFile(token, await keyturn.grant('service:payments', 'service'), { mode: 0o600 });
  const client: KeyturnClient = await connect({ connection: await connectionOf(keyturn), token });
  const credential = await client.credential('lean/sandbox', { drainMs: 2_000 });
  let version = 1;
  return {
    keyturn,
    credential,
    async swap(next) {
      must(201, await keyturn.import('lean/sandbox', next));
      version += 1;
      must(200, await keyturn.call('POST', `/v1/credentials/lean%2Fsandbox/versions/${version}/promote`));
      await credential.renew();
    },
    async [Symbol.asyncDispose]() {
      await credential.close();
      await client.close();
      await keyturn.stop();
    },
  };
}

async function connectionOf(keyturn: TestInstance) {
  const file = JSON.parse(await readFile(join(keyturn.home, 'admin', 'connection.json'), 'utf8')) as {
    keyturn: 1;
    servers: string[];
    ca: string;
    log: { origin: string; keys: string[] };
  };
  return { ...file, servers: [keyturn.url] };
}

function must(status: number, reply: { readonly status: number; readonly text: string }): void {
  if (reply.status !== status) throw new Error(`expected ${status}, got ${reply.status}: ${reply.text}`);
}
