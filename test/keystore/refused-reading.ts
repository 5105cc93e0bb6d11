import { expect } from 'vitest';
import { isKeyturnError } from '../../src/core/errors.ts';

interface Readable {
  read(record: string): Promise<unknown>;
}

/** Reason and words of what a reading rejects with; none holds the password of the proxy's user `keyturn`. */
export async function refusedReading(store: Readable, password: string) {
  const error = await store.read('versions/a/1').then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (!isKeyturnError(error)) throw new Error('It was read.');
  const said = `${error.message} ${error.fix ?? ''}`;
  const encoded = Buffer.from(`keyturn:${password}`).toString('base64');
  for (const secret of [password, encoded]) {
    expect(JSON.stringify([said, error.facts, error.stack])).not.toContain(secret);
  }
  return { reason: error.facts['reason'], certain: error.facts['certain'], said };
}
