import type { Context } from '../../context.ts';
import { facts } from '../../terminal/terminal.ts';

export default async function whoami({ terminal, api }: Context): Promise<void> {
  const open = await api();
  const me = (await open.call({ method: 'GET', path: '/v1/whoami' })) as Record<string, string>;
  terminal.result(
    { ...me, servers: open.connection.servers.map(({ origin }) => origin) },
    facts([...Object.entries(me), ['servers', open.connection.servers.map(({ origin }) => origin).join(' ')]]),
  );
}
