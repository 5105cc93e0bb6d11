import { chmod } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Config } from '../../../../src/compose/config.ts';
import type { IssuerSetting } from '../../../../src/compose/issuers/settings.ts';
import { examineIssuers } from '../../../../src/compose/upkeep/examine/issuers.ts';
import { makePki } from '../../../conformance/issuers/vault-pki.ts';
import { OpenBao } from '../../../fakes/openbao.ts';
import { folderWith } from '../../../fakes/programs.ts';

let server: OpenBao;
beforeAll(async () => {
  server = await OpenBao.start();
});
afterAll(() => server[Symbol.asyncDispose]());

function examined(...issuers: IssuerSetting[]) {
  return examineIssuers({ issuers, defaultStore: 'vault-eu' } as unknown as Config);
}

test('an issuer that would serve is well, and where it is', async () => {
  const { options, mount } = await makePki(server);
  expect(await examined({ name: 'vault', kind: 'vault-pki', options })).toEqual([
    { name: 'issuer vault', verdict: 'ok', evidence: `vault-pki ${server.url} ${mount}/sign/keyturn`, fix: '' },
  ]);
});

test('a role that would issue something else is told, with the command that puts it right', async () => {
  const { options } = await makePki(server, { role: { server_flag: true } });
  expect(await examined({ name: 'vault', kind: 'vault-pki', options })).toMatchObject([
    { name: 'issuer vault', verdict: 'broken', evidence: expect.stringContaining('bao patch') },
  ]);
});

test('a file by which it logs in, and that others can read, is told with the command that closes it', async () => {
  const { options } = await makePki(server);
  await using folder = await folderWith({ token: options.environment?.['BAO_TOKEN'] ?? '' });
  const file = folder.path('token');
  await chmod(file, 0o644);
  const login = { method: 'token_file', file } as const;
  expect(await examined({ name: 'vault', kind: 'vault-pki', options: { ...options, login } })).toMatchObject([
    { name: 'issuer vault', verdict: 'ok' },
    { name: 'issuer vault login file', verdict: 'attention', fix: expect.stringContaining(`chmod 600 ${file}`) },
  ]);
});

test('options that make no issuer are told as well, and keep none of the others from being looked at', async () => {
  const local: IssuerSetting = { name: 'internal', kind: 'local', store: null, options: {} };
  const aws: IssuerSetting = { name: 'aws', kind: 'aws-pca', options: { authority: 'no-arn' } };
  expect(await examined(aws, local)).toMatchObject([
    { name: 'issuer aws', verdict: 'broken', evidence: expect.stringContaining('config_invalid') },
    { name: 'issuer internal', verdict: 'ok', evidence: expect.stringContaining('vault-eu') },
  ]);
});
