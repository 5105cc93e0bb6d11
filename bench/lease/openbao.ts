import { OpenBao } from '../../test/fakes/openbao.ts';
import type { Contender } from './contender.ts';

/**
 * OpenBao as it would hold the same: KV version 2, one secret of 3 KB (key and certificate as PEM), a token whose policy
 * allows this one path, a file audit device. Its storage is memory, which is the fastest it has.
 */
export async function startOpenBao(secret: string): Promise<Contender> {
  const bao = await OpenBao.start();
  try {
    await bao.root({ path: 'secret/data/lean/sandbox', body: { data: { pem: secret } } });
    await bao.policy('lean', 'path "secret/data/lean/sandbox" { capabilities = ["read"] }');
    const token = await bao.token(['lean'], { ttl: '12h' });
    const plan = {
      method: 'GET',
      path: '/v1/secret/data/lean/sandbox',
      headers: { 'x-vault-token': token },
      bodies: [],
    } as const;
    return {
      name: 'openbao',
      urls: [bao.url],
      pids: [bao.process.pid],
      database: null,
      plan: async () => plan,
      settle: async () => {},
      stop: () => bao[Symbol.asyncDispose](),
    };
  } catch (error) {
    await bao[Symbol.asyncDispose]();
    throw error;
  }
}
