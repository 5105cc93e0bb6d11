import type { Context } from '../../context.ts';

interface Loaded {
  readonly digest: string;
  readonly profiles: { readonly partners: number; readonly environments: number };
}

export default async function policyReload({ terminal, api }: Context): Promise<void> {
  const loaded = (await (await api()).call({ method: 'POST', path: '/v1/policy/reload' })) as Loaded;
  const { digest, profiles } = loaded;
  terminal.result(loaded, [
    `The server decides by the access policy with digest ${digest} from now on,`,
    `and by ${profiles.partners} partner profiles with ${profiles.environments} environments.`,
  ]);
}
