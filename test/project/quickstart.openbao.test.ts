import { expect, test } from 'vitest';
import { STORY_MS, story } from './quickstart.ts';

test(
  'the story holds with keys in OpenBao, and the own file has but the log’s and the CA’s',
  async () => {
    const told = await story(['--store', 'vault']);
    expect(told).toContain('secret/metadata/keyturn/versions/lean/sandbox/1: version 1');
    expect(told).toContain('✔ store vault policy: grants all');
    expect(told).toContain('✔ two records in the own file');
  },
  STORY_MS,
);
