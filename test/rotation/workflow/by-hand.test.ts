import { afterEach, describe, expect, test } from 'vitest';
import { RotationStage } from '../stage.ts';

let stage: RotationStage;
afterEach(() => stage.strike());

describe('a partner that makes keys and is asked to revoke', () => {
  test('from a click in the portal to the old key destroyed', async () => {
    stage = await RotationStage.set();
    const [old] = await stage.ledger.find('versions', { version: 1 });
    expect(await stage.start()).toMatchObject({ status: 201, body: { state: 'running', step: 'await', replaces: 1 } });
    const waiting = await stage.untilStep('await');
    expect(waiting.tasks).toMatchObject([{ kind: 'import', state: 'open' }]);
    await stage.import();
    const revoking = await stage.untilStep('revoke');
    expect(revoking).toMatchObject({
      version: 2,
      found: { canary: { verdict: 'accepted' }, control: { verdict: 'accepted' } },
    });
    expect(await stage.states()).toEqual({ 1: 'retired', 2: 'current' });
    const asked = await stage.until('a task', ({ tasks }) => tasks.some(({ kind }) => kind === 'revoke'));
    expect(asked.tasks.find(({ kind }) => kind === 'revoke')?.text).toContain(old?.serial);
    await stage.partner.revoke(old?.serial ?? '');
    expect(await stage.done('revoke')).toMatchObject({ status: 200 });
    const ended = await stage.untilState('completed');
    expect(ended.found).toMatchObject({ revocation: { by: 'person', who: 'person:alice' } });
    expect(ended.found['rounds']).toHaveLength(3);
    expect(await stage.states()).toEqual({ 1: 'destroyed', 2: 'current' });
    expect((await stage.kinds()).filter((kind) => !['version.probing', 'rotation.proof-round'].includes(kind))).toEqual(
      [
        'version.import-intended',
        'version.imported',
        'companion.set-intended',
        'companion.set',
        'rotation.started',
        'rotation.waits',
        'version.import-intended',
        'version.imported',
        'rotation.advanced',
        'rotation.canary',
        'version.promoted',
        'version.retired',
        'rotation.control',
        'rotation.waits',
        'task.done',
        'version.revoked',
        'version.proven-dead',
        'version.destroy-intended',
        'version.destroyed',
        'rotation.completed',
      ],
    );
  });
});
