import type { Duplex } from 'node:stream';

/** What is used of the undici module that an application passes in; `import * as undici from 'undici'` fits, 7 and 8. */
export interface UndiciModule {
  readonly Agent: new (options: never) => object;
  readonly Dispatcher: new () => object;
  readonly Pool: new (origin: string, options: never) => object;
  readonly buildConnector: (options: never) => unknown;
}

/** The same, as it is called. */
export interface Undici {
  readonly Agent: new (options: object) => DispatcherLike;
  readonly Dispatcher: new () => object;
  readonly Pool: new (origin: string, options: object) => DispatcherLike;
  readonly buildConnector: (options: object) => Connector;
  /** undici 8: takes the handlers of older versions, such as the one inside Node 24. */
  readonly Dispatcher1Wrapper?: { readonly wrapHandler?: (this: void, handler: object) => object };
}

export interface DispatcherLike {
  dispatch(options: object, handler: object): boolean;
  close(): Promise<void>;
  destroy(error: Error | null): Promise<void>;
}

/** With an error there is no socket. */
export type Connected = (error: Error | null, socket?: Duplex | null) => void;
export type Connector = (options: ConnectorOptions, callback: Connected) => void;

export interface ConnectorOptions {
  readonly hostname: string;
  /** Empty for 443. */
  readonly port: string;
  readonly protocol: string;
  readonly localAddress?: string | null;
  readonly servername?: string;
}
