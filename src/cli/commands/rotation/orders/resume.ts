import type { Context } from '../../../context.ts';
import { type ReasonOption, steer } from './steer.ts';

export default function resume(context: Context, options: ReasonOption, credential: string): Promise<void> {
  return steer(context, options, credential, 'resume');
}
