import type { CallOptions } from '../../instance.ts';
import type { Planted } from './planted.ts';
import type { Tap } from './tap.ts';

interface Operation {
  readonly method: string;
  /** With something in the place of each parameter. */
  readonly path: string;
}

const NOTHING = '0'.repeat(32);
const PARAMETERS: Readonly<Record<string, string>> = {
  name: 'lean%2Fsandbox',
  version: '77',
  companion: 'NONE',
  id: `lease_${NOTHING}`,
  index: '0',
};

/** What has an answer without an end is asked for what it refuses. */
const REFUSED: Readonly<Record<string, string>> = { '/v1/watch': '?credential=NONE' };

/** Every operation that the API describes of itself. */
export async function operationsOf(tap: Tap): Promise<Operation[]> {
  const { body } = await tap.call('GET', '/openapi.json');
  const paths = body['paths'] as Record<string, Record<string, unknown>>;
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => ({
      method: method.toUpperCase(),
      path: path.replaceAll(/\{([a-z]+)\}/g, (_, name: string) => PARAMETERS[name] ?? 'x') + (REFUSED[path] ?? ''),
    })),
  );
}

/** Every secret in every place of a request where it does not belong, at every operation. None may succeed with it. */
export async function askWrongly(tap: Tap, planted: Planted, operations: readonly Operation[]): Promise<void> {
  const secrets = [...planted.leaks().values()];
  const everything = secrets.join('\n');
  const bodies: CallOptions[] = [
    { json: { [everything]: everything, reason: 7 } },
    { json: { hpkePublicKey: everything, target: everything, permission: everything, ttlSeconds: everything } },
    { json: { principal: secrets[0], comment: everything, ttlSeconds: 1, credential: everything.slice(0, 90) } },
    { json: secrets },
    { raw: Buffer.from(`{"token": "${everything}`), headers: { 'content-type': 'application/json' } },
    { raw: Buffer.from(everything), headers: { 'content-type': 'text/plain' } },
    { raw: Buffer.alloc(70_000, everything), headers: { 'content-type': 'application/octet-stream' } },
    { token: `${everything.replaceAll('\n', '').slice(0, 3_000)}` },
    { token: `${secrets.at(-1)?.replaceAll(/[^\x21-\x7e]/g, '')} x` },
    { token: null, headers: { 'x-api-key': latin(everything), cookie: latin(everything) } },
  ];
  const query = new URLSearchParams({ token: everything.slice(0, 2_000), limit: everything }).toString();
  for (const { method, path } of operations) {
    for (const options of bodies) await tap.call(method, path, options);
    await tap.call(method, `${path}?${query}`);
  }
  for (const secret of secrets) {
    const text = encodeURIComponent(secret.slice(28, 120));
    for (const path of [`/${text}`, `/v1/${text}`, `/v1/credentials/${text}`, `/v1/holds/${text}/thaw`, `/v1?${text}`])
      await tap.call('GET', path);
    await tap.call('PUT', `/v1/credentials/lean%2Fsandbox/companions/${text}`, {
      raw: Buffer.from(secret),
      headers: { 'content-type': 'application/octet-stream' },
    });
  }
}

function latin(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, '').slice(0, 2_000);
}
