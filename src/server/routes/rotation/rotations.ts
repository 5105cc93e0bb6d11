import { z } from 'zod';
import { timestamp } from '../../../core/clock.ts';
import { KeyturnError } from '../../../core/errors.ts';
import { authorise } from '../../../credential/authorise.ts';
import type { Desk } from '../../../credential/desk.ts';
import { mandateOf } from '../../../credential/mandate.ts';
import type { Issuer } from '../../../issuer/issuer.ts';
import type { DueBook } from '../../../rotation/due/book.ts';
import { forecastFor } from '../../../rotation/due/forecast.ts';
import { attachCertificate } from '../../../rotation/orders/attach.ts';
import { groundOf, type PlanRules, planOf } from '../../../rotation/orders/plan.ts';
import { startRotation } from '../../../rotation/orders/start.ts';
import {
  abortRotation,
  completeTask,
  resumeRotation,
  retryRotation,
  rollBackRotation,
  sayCompromised,
  waive,
} from '../../../rotation/orders/steer.ts';
import { listRotations, listTasks, rotationJson, showRotation, taskJson } from '../../../rotation/orders/view.ts';
import { ok, type Route, route } from '../../http/route.ts';
import {
  credentialParam,
  idParam,
  reasonRequest,
  rotationRequest,
  taskDoneRequest,
  waiverRequest,
} from '../../schemas.ts';
import { uploadOf } from '../credentials.ts';

const openQuery = z.object({ open: z.enum(['true', 'false']).optional() });
const forecastQuery = z.object({ days: z.coerce.number().int().min(1).max(3_650).default(90) });
const steering = ['permission_denied', 'not_found', 'rotation_state', 'conflict'] as const;

export interface RotationRoutesOptions {
  readonly desk: Desk;
  readonly issuers: ReadonlyMap<string, Issuer>;
  /** There is something to go on with. */
  readonly nudge: () => void;
  readonly due: { readonly book: DueBook; readonly automatic: boolean };
  readonly rules: PlanRules;
}

/** Rotations: what one would do, starting, steering and seeing them; and the tasks that people do for them. */
export function rotationRoutes(options: RotationRoutesOptions): Route[] {
  return [...startRoutes(options), ...steerRoutes(options), ...taskRoutes(options)];
}

function startRoutes({ desk, issuers, nudge, due, rules }: RotationRoutesOptions): Route[] {
  return [
    route({
      id: 'planRotation',
      method: 'get',
      path: '/v1/credentials/{name}/rotation/plan',
      summary: 'What a rotation would do and when, who must act, whom it concerns, which outage is to be expected',
      params: credentialParam,
      success: { status: 200, description: 'The plan; nothing was begun' },
      problems: ['permission_denied', 'not_found', 'no_current_version', 'config_invalid'],
      handle: async ({ params }, caller) => {
        await authorise(desk, caller, 'credential:rotate', params.name);
        return ok(await planOf(desk, await groundOf(desk, issuers, params.name), rules));
      },
    }),
    route({
      id: 'startRotation',
      method: 'post',
      path: '/v1/credentials/{name}/rotation',
      summary: 'Replace the current version: a workflow that any server goes on with',
      params: credentialParam,
      json: rotationRequest,
      success: {
        status: 201,
        description:
          'The rotation, as it begins; where one is on its way already and the key has leaked, as it goes on',
      },
      problems: ['permission_denied', 'not_found', 'no_current_version', 'conflict', 'config_invalid'],
      handle: async ({ params, body }, caller) => {
        const authority = await authorise(desk, caller, 'credential:rotate', params.name);
        const ground = await groundOf(desk, issuers, params.name);
        const { credential, current } = ground;
        const mandate = mandateOf(caller, authority, 'credential:rotate', credential, current?.version ?? null);
        const { reason, compromised = false, version = current?.version ?? null } = body;
        const cause = compromised ? ({ reason: 'compromised', said: reason } as const) : { reason };
        const leaked = { version, said: reason };
        const underWay = compromised ? await sayCompromised(desk, caller, credential, leaked) : null;
        if (underWay === null && version !== (current?.version ?? null)) throw notReplaced(credential, version);
        const row = underWay ?? (await startRotation(desk, mandate, ground, cause));
        nudge();
        return ok(rotationJson(row), 201);
      },
    }),
    route({
      id: 'showRotation',
      method: 'get',
      path: '/v1/credentials/{name}/rotation',
      summary: 'The newest rotation of a credential: where it is, what it waits for, what happens next',
      params: credentialParam,
      success: { status: 200, description: 'With its tasks, legal orders, and who keeps a version from being drained' },
      problems: ['permission_denied', 'not_found'],
      handle: async ({ params }, caller) => ok(await showRotation(desk, caller, params.name)),
    }),
    route({
      id: 'listRotations',
      method: 'get',
      path: '/v1/rotations',
      summary: 'Rotations of credentials that you may list, the newest 100',
      query: openQuery,
      success: { status: 200, description: 'Newest first' },
      problems: ['unauthenticated'],
      handle: async ({ query }, caller) =>
        ok({ items: await listRotations(desk, caller, { open: query.open === 'true' }) }),
    }),
    route({
      id: 'forecastRotations',
      method: 'get',
      path: '/v1/rotations/forecast',
      summary: 'What falls due, why and when, of credentials that you may list: the next 1,000',
      query: forecastQuery,
      success: { status: 200, description: 'In the order in which they begin' },
      problems: ['unauthenticated', 'held'],
      handle: async ({ query }, caller) => ok(await forecastFor({ desk, ...due }, caller, query.days)),
    }),
    route({
      id: 'attachCertificate',
      method: 'post',
      path: '/v1/credentials/{name}/rotation/certificate',
      summary: 'Upload the certificate that was signed for the rotation’s own key (multipart/form-data)',
      params: credentialParam,
      body: { kind: 'upload' },
      success: { status: 201, description: 'The version that it made' },
      problems: ['permission_denied', 'not_found', 'key_mismatch', 'chain_untrusted', 'certificate_expired'],
      handle: async ({ params, files, fields }, caller) => {
        const { files: uploaded, environmentConfirmed, acceptNewChain } = uploadOf(files, fields);
        const attached = await attachCertificate(desk, caller, {
          credential: params.name,
          files: uploaded,
          ...(environmentConfirmed === undefined ? {} : { environmentConfirmed }),
          ...(acceptNewChain === undefined ? {} : { acceptNewChain }),
        });
        nudge();
        return ok(attached, 201);
      },
    }),
  ];
}

function steerRoutes({ desk, nudge }: RotationRoutesOptions): Route[] {
  const orders = [
    ['abortRotation', 'abort', 'Give up a rotation whose version is not current', abortRotation],
    ['rollBackRotation', 'roll-back', 'Make the old version current again, while it is not retired', rollBackRotation],
    ['retryRotation', 'retry', 'Try again what was halted', retryRotation],
    ['resumeRotation', 'resume', 'Go on with the new version after all, while it is current', resumeRotation],
  ] as const;
  return [
    ...orders.map(([id, verb, summary, order]) =>
      route({
        id,
        method: 'post',
        path: `/v1/credentials/{name}/rotation/${verb}`,
        summary,
        params: credentialParam,
        json: reasonRequest,
        success: { status: 200, description: 'The rotation as it is now' },
        problems: steering,
        handle: async ({ params, body }, caller) => {
          const row = await order(desk, caller, params.name, body.reason);
          nudge();
          return ok(rotationJson(row));
        },
      }),
    ),
    route({
      id: 'waive',
      method: 'post',
      path: '/v1/credentials/{name}/rotation/waivers',
      summary: 'Take upon yourself what can’t be had: canary, drain, proof, or a copy in somebody’s hands',
      params: credentialParam,
      json: waiverRequest,
      success: { status: 200, description: 'The rotation as it is now' },
      problems: [...steering, 'invalid_input'],
      handle: async ({ params, body }, caller) => {
        const { what, holder, reason } = body;
        const given = { what, why: reason, ...(holder === undefined ? {} : { subject: holder }) };
        const row = await waive(desk, caller, params.name, given);
        nudge();
        return ok(rotationJson(row));
      },
    }),
  ];
}

function taskRoutes({ desk, nudge }: RotationRoutesOptions): Route[] {
  return [
    route({
      id: 'listTasks',
      method: 'get',
      path: '/v1/tasks',
      summary: 'What people have to do for rotations of credentials that you may list',
      success: { status: 200, description: 'Open ones, the most urgent first' },
      problems: ['unauthenticated'],
      handle: async (_input, caller) => ok({ items: await listTasks(desk, caller), now: timestamp(desk.clock.now()) }),
    }),
    route({
      id: 'completeTask',
      method: 'post',
      path: '/v1/tasks/{id}/done',
      summary: 'Say that a task is done; the rotation goes on',
      params: idParam,
      json: taskDoneRequest,
      success: { status: 200, description: 'The task as it is now' },
      problems: ['permission_denied', 'not_found', 'conflict'],
      handle: async ({ params, body }, caller) => {
        const task = await completeTask(desk, caller, params.id, body.note);
        nudge();
        return ok(taskJson(task));
      },
    }),
  ];
}

function notReplaced(credential: string, version: number | null): KeyturnError {
  const what = `No rotation of ${credential} is on its way to replace version ${version}, or it is asked to be revoked already.`;
  return new KeyturnError('conflict', what, {
    fix: `Without --version the current one is replaced. See where things are: keyturn show ${credential}`,
  });
}
