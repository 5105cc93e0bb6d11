/** A server that can be killed: its code is loaded at once, the instance is opened when the parent says so. */
import { flushCompileCache } from 'node:module';
import { Writable } from 'node:stream';
import { loadConfig } from '../../../src/compose/config.ts';
import { serve } from '../../../src/compose/serve.ts';
import { ServerLog } from '../../../src/server/log/server-log.ts';

const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });

process.on('disconnect', () => process.exit());
process.on('message', ({ home }: { home: string }) => {
  loadConfig(home)
    .then((config) => serve(config, { log: new ServerLog({ destination: nowhere }) }))
    .then(
      ({ url }) => process.send?.({ url }),
      (error: unknown) => process.send?.({ refused: error instanceof Error ? error.message : String(error) }),
    );
});
// Who is killed leaves no cache behind otherwise.
flushCompileCache();
process.send?.({ loaded: true });
