import { expect, test } from 'vitest';
import { STORY_MS, story } from './quickstart.ts';

test(
  'the story holds with keys in AWS under the shipped policy, and the own file has but the log’s and the CA’s',
  async () => {
    const told = await story(['--store', 'aws']);
    expect(told).toContain(':secret:keyturn/versions/lean/sandbox/1');
    expect(told).toContain('✔ store aws records: 2 under keyturn/');
    expect(told).toContain('✔ two records in the own file');
    expect(told).not.toContain('did not answer');
  },
  STORY_MS,
);
