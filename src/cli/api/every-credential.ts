import type { Shown } from '../commands/credential/show.ts';
import type { Api } from './api.ts';
import { everyPage } from './every-page.ts';

const PAGE = 500;

/** All credentials that the token may list. */
export function everyCredential(api: Pick<Api, 'call'>): Promise<Shown[]> {
  return everyPage<Shown>(api, '/v1/credentials', PAGE);
}
