import { TestCa } from '../ca.ts';
import { OpenBao } from '../openbao.ts';
import { askBao, callBao } from './api.ts';
import { OpenBaoProcess } from './process.ts';

/** Two nodes of one raft cluster: one active, one standby that forwards what it is asked. */
export interface OpenBaoCluster extends AsyncDisposable {
  readonly active: OpenBao;
  readonly standbyUrl: string;
}

export async function startOpenBaoCluster(): Promise<OpenBaoCluster> {
  const ca = await TestCa.create();
  const start = async (raftNode: string) =>
    OpenBaoProcess.start({ server: await ca.server(), caPem: ca.certificatePem, raftNode });
  const [first, second] = await Promise.all([start('one'), start('two')]);
  try {
    const active = await OpenBao.initialised(ca, first);
    await join(active, second);
    return {
      active,
      standbyUrl: second.url,
      [Symbol.asyncDispose]: async () => {
        await Promise.all([first.stop(), second.stop()]);
      },
    };
  } catch (error) {
    await Promise.all([first.stop(), second.stop()]);
    throw error;
  }
}

async function join(active: OpenBao, joining: OpenBaoProcess): Promise<void> {
  const pem = active.ca.certificatePem;
  const body = { leader_api_addr: active.url, leader_ca_cert: pem };
  await askBao(joining.url, pem, { path: 'sys/storage/raft/join', body });
  await askBao(joining.url, pem, { path: 'sys/unseal', body: { key: active.unsealKey } });
  for (let asked = 0; asked < 500; asked += 1) {
    const { status } = await callBao(joining.url, pem, { path: 'sys/health' });
    if (status === 429) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('The second node did not become a standby.');
}
