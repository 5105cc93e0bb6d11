import type { Context } from '../../../context.ts';
import { type ReasonOption, steer } from './steer.ts';

export default function rollBack(context: Context, options: ReasonOption, credential: string): Promise<void> {
  return steer(context, options, credential, 'roll-back');
}
