import type { Api } from '../../api/api.ts';
import type { Rotation } from './view.ts';

/**
 * What a person does with a version that is staged now: nothing, where a rotation waited for it. Who may not see that, or
 * whose server does not say, is told to promote it.
 */
export async function nextOf(api: Api, credential: string, version: number): Promise<string> {
  const path = `/v1/credentials/${encodeURIComponent(credential)}/rotation`;
  const rotation = (await api.call({ method: 'GET', path }).catch(() => null)) as Rotation | null;
  const takes =
    rotation?.endedAt === null && (rotation.version ?? version) === version && !('undone' in rotation.found);
  if (takes && rotation.found['keyBy'] === 'partner') {
    return `The rotation under way goes on with it: keyturn rotation show ${credential}`;
  }
  return `Next: keyturn promote ${credential} ${version}`;
}
