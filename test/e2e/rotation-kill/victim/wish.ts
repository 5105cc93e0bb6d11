import type { Answer, Files } from '../desk/desk.ts';
import type { Doom } from './doom.ts';

/** What a person asks of a server, without HTTP. */
export type Wish =
  | { readonly to: 'start' | 'abort' | 'roll-back' | 'show' }
  | { readonly to: 'upload' | 'attach'; readonly files: Files }
  | { readonly to: 'done'; readonly task: string }
  | { readonly to: 'lease'; readonly hpkePublicKey: string }
  | { readonly to: 'give-back'; readonly lease: string };

/** What a victim is told. All but the points are answered, one after the other. */
export type Order =
  | { readonly open: string; readonly listening: boolean; readonly doom: Doom }
  | { readonly points: Doom['points'] }
  | { readonly list: string }
  | { readonly wish: Wish };

/** What it says: that its code is loaded; its URL, if it listens; an authority's certificate and list; or what a person is told. */
export type Told =
  | { readonly loaded: true }
  | { readonly url: string | null }
  | { readonly refused: string }
  | { readonly ca: string; readonly crl: string }
  | { readonly answer: Answer };
