import type { Context } from '../../context.ts';
import { facts, type Terminal, table } from '../../terminal/terminal.ts';
import { versionNumber } from '../../terminal/version-number.ts';
import { pathOf, type Rotation, rotationLines } from './view.ts';

interface Options {
  readonly reason?: string;
  readonly plan?: boolean;
  readonly compromised?: boolean;
  readonly version?: string;
}

interface Plan {
  readonly credential: string;
  readonly replaces: number | null;
  readonly issuer: string;
  readonly steps: readonly {
    readonly step: string;
    readonly who: string;
    readonly what: string;
    readonly from: string;
    readonly until: string;
  }[];
  readonly outage: string;
  readonly currentBy: string;
  readonly endsBy: string;
  readonly clients: readonly { readonly principal: string; readonly leases: number; readonly until: string }[];
  readonly notAfter: string | null;
  readonly hoursFrom: string | null;
  readonly warnings: readonly string[];
}

export default async function rotate(
  { terminal, api }: Context,
  { reason = 'asked for by hand', plan, compromised, version }: Options,
  credential: string,
): Promise<void> {
  const open = await api();
  const path = pathOf(credential);
  if (plan === true) {
    showPlan(terminal, (await open.call({ method: 'GET', path: `${path}/plan` })) as Plan);
    return;
  }
  const json = {
    reason,
    ...(compromised === true ? { compromised } : {}),
    ...(version === undefined ? {} : { version: versionNumber(version) }),
  };
  const rotation = (await open.call({ method: 'POST', path, json })) as Rotation;
  terminal.result(rotation, rotationLines(rotation));
  terminal.note(`It goes on by itself. See where it is: keyturn rotation show ${credential}`);
}

function showPlan(terminal: Terminal, plan: Plan): void {
  const clients = plan.clients.map(({ principal, leases, until }) => [principal, String(leases), until]);
  terminal.result(plan, [
    ...facts([
      ['credential', plan.credential],
      ['replaces', plan.replaces === null ? 'nothing yet' : `version ${plan.replaces}`],
      ['issuer', plan.issuer],
      ['outage', plan.outage],
      ...(plan.notAfter === null ? [] : ([['ends', plan.notAfter]] as const)),
      ['new one current', `by ${plan.currentBy} at the latest`],
      ['all done', `by ${plan.endsBy} at the latest`],
      ...(plan.hoursFrom === null ? [] : ([['partner works from', plan.hoursFrom]] as const)),
    ]),
    '',
    ...table(
      ['step', 'who', 'from', 'until at the latest', 'what'],
      plan.steps.map(({ step, who, from, until, what }) => [step, who, from, until === from ? 'at once' : until, what]),
      '',
    ),
    '',
    ...table(['client', 'leases', 'until'], clients, 'Nobody has a lease on it now.'),
  ]);
  for (const warning of plan.warnings) terminal.warn(warning);
}
