import { setImmediate as turn } from 'node:timers/promises';
import type { AwsStoreOptions } from '../../../../src/keystore/aws/options.ts';
import type { FaultPlan } from '../../../fakes/aws/fault.ts';
import type { Policy } from '../../../fakes/aws/iam.ts';
import { AwsProxy } from '../../../fakes/aws/proxy.ts';
import { shippedPolicy } from '../../../fakes/aws/shipped-policy.ts';
import { type AwsFault, type AwsPlace, HURRIED, openAt } from './place.ts';
import { HANG_ONCE, HURRIED_PLANS, plans } from './plans.ts';
import type { AwsStage } from './stage.ts';

export function faultsOf(stage: AwsStage): Record<string, AwsFault> {
  const { aws, kmsKeyId, elsewhere } = stage;
  const planned = (plan: FaultPlan, options: AwsStoreOptions = {}): AwsFault => ({
    arm: async () => {
      aws.proxy.faults = plan;
    },
    open: (place) => openAt(place, () => options),
  });
  const each = (all: Readonly<Record<string, FaultPlan>>, options: AwsStoreOptions = {}) =>
    Object.fromEntries(Object.entries(all).map(([name, plan]) => [name, planned(plan, options)]));
  const faults: Record<string, AwsFault> = {
    'no fault': planned(() => null),
    ...each(plans(elsewhere.url)),
    ...each(HURRIED_PLANS, HURRIED),
    'hang once': planned(HANG_ONCE, { attemptMs: 1_500 }),
    ...denials(stage),
    ...connections(stage),
    ...standingSecrets(stage),
    'KMS key disabled': {
      open: (place) => openAt(place),
      arm: () => aws.switchKey(kmsKeyId, false),
      lift: () => aws.switchKey(kmsKeyId, true),
    },
    'KMS key that the policy does not name': {
      open: (place) => openAt(place, () => ({ kmsKeyId: kmsKeyId.replace(/.{4}$/, 'ffff') })),
    },
  };
  return Object.fromEntries(Object.entries(faults).map(([name, fault]) => [name, undisturbed(stage, fault)]));
}

/** Each cell under the shipped policy for its own prefix, unless the fault takes something from it. */
function undisturbed({ aws, kmsKeyId }: AwsStage, fault: AwsFault): AwsFault {
  return {
    ...fault,
    arm: async (places) => {
      aws.proxy.policies = places.map((place) => heldBy(kmsKeyId, place, []));
      await fault.arm?.(places);
    },
    lift: async (places) => {
      Object.assign(aws.proxy, { faults: () => null, policies: null });
      await fault.lift?.(places);
    },
  };
}

function denials({ aws, kmsKeyId }: AwsStage): Record<string, AwsFault> {
  const without = (...actions: string[]): AwsFault => ({
    open: (place) => openAt(place),
    arm: async (places) => {
      aws.proxy.policies = places.map((place) => heldBy(kmsKeyId, place, actions));
    },
  });
  return {
    'all denied': without('*'),
    'denied in the middle of a write': without('secretsmanager:GetSecretValue'),
    'use of the KMS key denied': without('kms:Decrypt'),
  };
}

/** The shipped policy for a cell's prefix, less some actions. */
function heldBy(kmsKeyId: string, { prefix }: AwsPlace, without: readonly string[]): Policy {
  const policy = shippedPolicy('keyturn.json', { prefix, kmsKeyId });
  const statements = (policy['Statement'] as { Action: string | string[] }[]).flatMap((statement) => {
    const left = [statement.Action].flat().filter((action) => !without.includes(action) && !without.includes('*'));
    return left.length === 0 ? [] : [{ ...statement, Action: left }];
  });
  return { ...policy, Statement: statements };
}

function connections({ aws, tls, expired }: AwsStage): Record<string, AwsFault> {
  const at = (endpoint: string): AwsFault => ({ open: (place) => openAt(place, () => ({ endpoint })) });
  return {
    'down at start': at('http://127.0.0.1:1'),
    'down later': downLater(aws.proxy),
    'no TLS where TLS is expected': at(aws.proxy.url.replace('http:', 'https:')),
    'behind TLS': at(tls.url),
    'server certificate expired': at(expired.url),
  };
}

/** A second proxy before the same server, which goes away. */
function downLater({ upstream }: AwsProxy): AwsFault {
  let own: AwsProxy | null = null;
  return {
    arm: async () => {
      own = await AwsProxy.start(upstream);
    },
    open: (place) => openAt(place, () => (own === null ? {} : { endpoint: own.url })),
    strike: async () => {
      await own?.stop();
      // Connections that were kept are closed by now; the client hears of it in this turn.
      await turn();
      await turn();
    },
  };
}

function standingSecrets({ aws }: AwsStage): Record<string, AwsFault> {
  return {
    'secret scheduled for deletion': {
      open: (place) => openAt(place),
      before: ['1~', '2~'],
      arm: async (places) => {
        for (const { prefix } of places) {
          for (const record of ['versions/fault/cell/1', 'versions/fault/cell/2']) {
            const SecretId = `${prefix}/${record}`;
            await aws.ask('secretsmanager:CreateSecret', { Name: SecretId, SecretString: 'x' });
            await aws.ask('secretsmanager:DeleteSecret', { SecretId, RecoveryWindowInDays: 7 });
          }
        }
      },
    },
    'a secret stands there already': {
      open: (place) => openAt(place),
      before: ['1', '2!'],
      arm: async (places) => {
        for (const { prefix } of places) {
          const Name = `${prefix}/versions/fault/cell/2`;
          await aws.ask('secretsmanager:CreateSecret', { Name, SecretString: 'x' });
        }
      },
    },
  };
}
