import { expect, test } from 'vitest';
import { KeyturnError } from '../../../src/core/errors.ts';
import { problemOf, STATUS_OF } from '../../../src/server/http/problem.ts';

const CODES = Object.keys(STATUS_OF) as (keyof typeof STATUS_OF)[];

test.each(CODES)(
  '%s is a problem document with a status of its own and no member more than RFC 9457 and ours',
  (code) => {
    const document = problemOf(
      new KeyturnError(code, 'What is wrong.', { fix: 'Do this.', facts: { spki: 'ab' } }),
      'request_x',
    );
    expect(document).toMatchObject({
      type: `urn:keyturn:problem:${code}`,
      code,
      status: STATUS_OF[code],
      request: 'request_x',
    });
    expect(document.status).toBeGreaterThanOrEqual(400);
    expect(document.status).toBeLessThan(600);
    expect(Object.keys(document).sort()).toEqual(['code', 'detail', 'fix', 'request', 'status', 'title', 'type']);
  },
);

test.each(CODES.filter((code) => STATUS_OF[code] >= 500 && code !== 'ledger_unavailable'))(
  '%s is about the server’s own host: its words stay inside',
  (code) => {
    const error = new KeyturnError(code, 'The file /srv/keys/keys.ktn is 0644.', {
      fix: 'chmod 600 /srv/keys/keys.ktn',
    });
    expect(JSON.stringify(problemOf(error, 'request_x'))).not.toContain('/srv');
  },
);

test('what is no error of ours says nothing but that', () => {
  const secret = 'MIGHAgEAMBMGByqGSM49';
  const cause = new SyntaxError(`Unexpected token in "${secret}"`);
  for (const error of [cause, secret, { message: secret, status: 418 }, null, new KeyturnError('internal', secret)]) {
    const document = problemOf(error, 'request_x');
    expect(document).toMatchObject({ code: 'internal', status: 500 });
    expect(JSON.stringify(document)).not.toContain(secret);
  }
  const known = new KeyturnError('key_unreadable', 'The key cannot be read.', { cause });
  expect(JSON.stringify(problemOf(known, 'request_x'))).not.toContain(secret);
});
