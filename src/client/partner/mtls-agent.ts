import { errorMonitor } from 'node:events';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { Agent } from 'node:https';
import { KeyturnError } from '../../core/errors.ts';
import { explainRequestError, type RequestOnWire } from '../diagnosis/explained-error.ts';
import type { Identity } from './identity.ts';
import { RefusingAgent } from './refusing-agent.ts';
import { type AgentRequestOptions, connectOptions, refusedOption } from './request-options.ts';

/**
 * The `https.Agent` that applications hold: one object for the life of the credential, whatever version is current.
 * It has no connections of its own; each request goes to the agent of the version that is current at that moment.
 *
 * A request that it refuses (`host_not_allowed`, `tls_option_refused`, or the reason why the lease is over) fails by
 * its `error` event. When a call to the partner fails, Node's error gets a `cause`: a {@link KeyturnError} that says
 * why.
 */
export class MtlsAgent extends Agent {
  readonly #identity: Identity;

  constructor(identity: Identity) {
    // keepAlive makes Node offer it to the partner; the pools are those of the version agents.
    super({ keepAlive: true, maxCachedSessions: 0 });
    this.#identity = identity;
  }

  /** Called by `https.request`; see VersionAgent. */
  addRequest(request: ClientRequest, options: AgentRequestOptions): void {
    const identity = this.#identity;
    const admitted = refusedOption(options) ?? identity.admit(String(options.host), Number(options.port));
    if (admitted instanceof KeyturnError) {
      new RefusingAgent(admitted).addRequest(request, {});
      return;
    }
    // Admitted means that there is a current version.
    const agent = identity.current!;
    const call: RequestOnWire = { identity, agent, endpoint: admitted, request };
    // A monitor does not count as a listener: an application that listens to no error still hears of it.
    request.on(errorMonitor, (error) => explainRequestError(call, error));
    if (identity.refusesByStatus) watchStatus(call);
    agent.addRequest(request, connectOptions(admitted, options));
  }

  /** Closes idle and running connections of the current version; the next request opens new ones. */
  override destroy(): void {
    this.#identity.current?.destroy();
  }
}

function watchStatus({ identity, agent, endpoint, request }: RequestOnWire): void {
  request.prependOnceListener('response', (response: IncomingMessage) => {
    const { statusCode = 0 } = response;
    if (identity.refusesBy(statusCode)) identity.refusedByStatus(endpoint.name, statusCode, agent.material);
    // Node throws an answer away that nobody listens to. Now that we did, it would wait to be read for ever.
    if (request.listenerCount('response') === 0) response.resume();
  });
}
