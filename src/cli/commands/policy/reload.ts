import type { Context } from '../../context.ts';

export default async function policyReload({ terminal, api }: Context): Promise<void> {
  const loaded = (await (await api()).call({ method: 'POST', path: '/v1/policy/reload' })) as { digest: string };
  terminal.result(loaded, [`The server decides by the policy with digest ${loaded.digest} from now on.`]);
}
