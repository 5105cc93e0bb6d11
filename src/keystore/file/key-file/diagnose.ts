import type { RecordName } from '../../record-name.ts';
import type { MasterKeySource } from '../master/source.ts';
import { unlock } from './keys.ts';
import { parseUnchecked } from './layout.ts';
import { isAuthentic } from './records.ts';

export interface Damage {
  /** Names of the records that are not what was sealed by that name. */
  readonly records: readonly RecordName[];
  readonly of: number;
}

/**
 * Where a refused file is damaged, for people who look for what can be saved: nothing of such a file is used. Null when
 * its records can't be told apart any more, or its master key does not open it.
 */
export async function findDamage(octets: Buffer, master: MasterKeySource, place: string): Promise<Damage | null> {
  try {
    const { storeId, lock, records } = parseUnchecked(octets, place);
    using masterOctets = await master.read();
    const keys = await unlock(master, masterOctets, { storeId, lock, place });
    const broken = [...records].filter(([name, sealed]) => !isAuthentic(keys, storeId, name, sealed));
    return { records: broken.map(([name]) => name), of: records.size };
  } catch {
    return null;
  }
}
