import { join } from 'node:path';
import { expect, test } from 'vitest';
import { edit } from '../../e2e/instance.ts';
import { RotationStage } from '../stage.ts';

test('an old certificate that meets what the profile does not list as a refusal is not proven dead', async () => {
  const stage = await RotationStage.set({ partner: { switches: { refuseBy: 'close' } } });
  try {
    await edit(join(stage.home, 'policies', 'partners', 'lean.yaml'), (profile) => {
      const { sandbox, ...others } = profile['environments'] as Record<string, Record<string, unknown>>;
      return { ...profile, environments: { ...others, sandbox: { ...sandbox, refusals: [{ kind: 'alert' }] } } };
    });
    await stage.keyturn.reload();
    const [old] = await stage.ledger.find('versions', { version: 1 });
    await stage.start();
    await stage.import();
    await stage.untilStep('revoke');
    await stage.partner.revoke(old?.serial ?? '');
    await stage.done('revoke');
    const shown = await stage.until('shown', ({ found }) => found['lastRound'] !== undefined);
    expect(shown.found).toMatchObject({ lastRound: { old: { verdict: 'inconclusive' } }, rounds: [] });
    expect(shown.waitsFor).toContain('the old certificate was inconclusive');
  } finally {
    await stage.strike();
  }
});
