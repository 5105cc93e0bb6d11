import type { Context } from '../../../context.ts';
import { pathOf, type Rotation, rotationLines } from '../view.ts';
import { requireReason } from './steer.ts';

interface Options {
  readonly reason?: string;
  readonly holder?: string;
}

export default async function waive(
  { terminal, api }: Context,
  { reason, holder }: Options,
  credential: string,
  what: string,
): Promise<void> {
  const json = { what, reason: requireReason(reason), ...(holder === undefined ? {} : { holder }) };
  const path = `${pathOf(credential)}/waivers`;
  const rotation = (await (await api()).call({ method: 'POST', path, json })) as Rotation;
  terminal.result(rotation, rotationLines(rotation));
  terminal.note('That you took it upon yourself is on the audit log.');
}
