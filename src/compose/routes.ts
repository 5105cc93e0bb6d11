import { denial } from '../credential/authorise.ts';
import { sendTestNotice } from '../rotation/reminder/test-notice.ts';
import { describeApi } from '../server/http/openapi.ts';
import type { Route } from '../server/http/route.ts';
import type { Metrics } from '../server/metrics.ts';
import { accessRoutes } from '../server/routes/access.ts';
import { auditRoutes } from '../server/routes/audit.ts';
import { backupRoute } from '../server/routes/backups.ts';
import { credentialRoutes } from '../server/routes/credentials.ts';
import { holdRoutes } from '../server/routes/holds.ts';
import { healthRoutes } from '../server/routes/instance/health.ts';
import { runtimeRoute } from '../server/routes/instance/runtime.ts';
import { leaseRoutes } from '../server/routes/leases.ts';
import { issuerRoutes } from '../server/routes/rotation/issuers.ts';
import { noticeRoute } from '../server/routes/rotation/notices.ts';
import { rotationRoutes } from '../server/routes/rotation/rotations.ts';
import { adoptionRoutes } from '../server/routes/store/adoptions.ts';
import { copyRoutes } from '../server/routes/store/copies.ts';
import { storeRoutes } from '../server/routes/store/stores.ts';
import { type ConnectionFacts, tokenRoutes } from '../server/routes/tokens.ts';
import { versionRoutes } from '../server/routes/versions.ts';
import { watchRoutes } from '../server/routes/watch.ts';
import { takeBackup } from './backup/take.ts';
import type { Instance } from './open.ts';

/** Version of the API description. */
const API_VERSION = '1';

/** Every route of the API over one instance. */
export function allRoutes(instance: Instance, metrics: Metrics, connection: () => ConnectionFacts): Route[] {
  const { desk, book, holdJournal, config } = instance;
  /** A rotation that fails now is tried again by the timer, which also says so. */
  const nudge = () => void instance.rotator.tick().catch(() => undefined);
  let description: string | null = null;
  const routes: Route[] = [
    // Express asks route by route: what is asked most comes first.
    ...leaseRoutes(desk),
    ...credentialRoutes(desk),
    ...versionRoutes(desk),
    ...rotationRoutes({
      desk,
      issuers: instance.issuers,
      nudge,
      due: { book: instance.due.book, automatic: config.rotation.due.automatic },
      rules: { longestRequestMs: config.rotation.longestRequestMs, freezes: config.rotation.due.freezes },
    }),
    ...storeRoutes(desk),
    ...copyRoutes(desk),
    ...adoptionRoutes(desk),
    ...issuerRoutes(instance.issuers),
    noticeRoute((caller, wish) => sendTestNotice(desk, instance.notifiers, caller, wish)),
    ...holdRoutes(desk, holdJournal),
    ...tokenRoutes(desk, book, connection),
    ...auditRoutes(desk, config.origin),
    ...accessRoutes(desk, async (caller, checks) => {
      const refusal = denial(caller, 'policy:reload', null, 'at-commit');
      const by = { actor: caller.principal.id, request: caller.request, checks, refusal };
      const { policy, profiles } = await instance.reload(by);
      return { digest: policy.digest, profiles: profiles.count() };
    }),
    backupRoute((caller, recipient) => takeBackup(instance, caller, recipient)),
    ...watchRoutes(desk, instance.watchers),
    runtimeRoute(),
    ...healthRoutes(desk, instance.store.name, metrics, () => {
      description ??= describeApi(routes, API_VERSION);
      return description;
    }),
  ];
  return routes;
}
