import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { goDuration } from '../../../../src/keystore/vault/settings/environment.ts';
import { vaultSettings } from '../../../../src/keystore/vault/settings/settings.ts';

const ADDRESS = { BAO_ADDR: 'https://bao.example:8200' };

function refused(environment: Record<string, string>, connection = {}) {
  return () => vaultSettings(connection, environment);
}

describe('settings of Vault', () => {
  it('take BAO_ before VAULT_, and configuration before both, and say which', () => {
    const both = { ...ADDRESS, VAULT_ADDR: 'https://vault.example:8200' };
    expect(vaultSettings({}, both).address).toEqual({ value: 'https://bao.example:8200', source: 'BAO_ADDR' });
    expect(vaultSettings({ address: 'https://other:1' }, both).address.source).toBe('configuration');
    expect(vaultSettings({}, { VAULT_ADDR: 'https://v:1/' }).address).toEqual({
      value: 'https://v:1',
      source: 'VAULT_ADDR',
    });
  });

  it('let an empty BAO_ variable hide the VAULT_ one', () => {
    const hidden = { ...ADDRESS, VAULT_NAMESPACE: 'team', BAO_NAMESPACE: '' };
    expect(vaultSettings({}, hidden).namespace).toBeNull();
    expect(refused({ VAULT_ADDR: 'https://v:1', BAO_ADDR: '' })).toThrow('No address');
  });

  it('take the agent before the server', () => {
    const agent = { ...ADDRESS, VAULT_AGENT_ADDR: 'http://127.0.0.1:8100' };
    expect(vaultSettings({}, agent).address.source).toBe('VAULT_AGENT_ADDR');
  });

  it('refuse plain http but to a loopback address, and what is no origin', () => {
    for (const address of [
      'http://vault.example',
      'http://127.0.0.1.example',
      'ftp://x',
      'https://x/v1',
      'https://u@x',
      'x',
    ]) {
      expect(refused({ BAO_ADDR: address })).toThrow(expect.objectContaining({ code: 'config_invalid' }));
    }
    for (const address of ['http://127.0.0.1:8200', 'http://localhost:1', 'http://[::1]:1']) {
      expect(vaultSettings({}, { BAO_ADDR: address }).address.value).toBe(address);
    }
  });

  it('refuse to skip verification unless that is allowed in so many words', () => {
    const skipping = { ...ADDRESS, VAULT_SKIP_VERIFY: 'true' };
    expect(refused(skipping)).toThrow('VAULT_SKIP_VERIFY');
    const allowed = vaultSettings({ tls: { allowSkipVerify: true } }, skipping);
    expect(allowed.tls.skipVerify).toEqual({ value: true, source: 'VAULT_SKIP_VERIFY' });
    expect(vaultSettings({}, { ...ADDRESS, VAULT_SKIP_VERIFY: '0' }).tls.skipVerify.value).toBe(false);
  });

  it('take the octets of a PEM before its file, and the file before the folder', () => {
    const all = { ...ADDRESS, VAULT_CACERT_BYTES: 'PEM', VAULT_CACERT: '/ca.pem', VAULT_CAPATH: '/ca' };
    expect(vaultSettings({}, all).tls.ca).toEqual({ value: { pem: 'PEM' }, source: 'VAULT_CACERT_BYTES' });
    const { VAULT_CACERT_BYTES: _, ...rest } = all;
    expect(vaultSettings({}, rest).tls.ca?.source).toBe('VAULT_CACERT');
    expect(vaultSettings({}, { ...ADDRESS, BAO_CAPATH: '/ca' }).tls.ca?.value).toEqual({ folder: '/ca' });
    expect(vaultSettings({ tls: { caFile: '/own' } }, all).tls.ca?.source).toBe('configuration');
  });

  it('need client certificate and key together', () => {
    expect(refused({ ...ADDRESS, BAO_CLIENT_CERT: '/a' })).toThrow('only one');
  });

  it('follow redirects to the own origin and named ones alone, or nowhere', () => {
    const { followTo } = vaultSettings({ followTo: ['https://b:8200/'] }, ADDRESS);
    expect(followTo).toEqual(['https://bao.example:8200', 'https://b:8200']);
    expect(vaultSettings({}, { ...ADDRESS, BAO_DISABLE_REDIRECTS: 'true' }).followTo).toEqual([]);
  });

  it('read time-out and retries, and name the variables that they do not heed', () => {
    const settings = vaultSettings(
      {},
      { ...ADDRESS, VAULT_CLIENT_TIMEOUT: '1m30s', BAO_MAX_RETRIES: '0', VAULT_RATE_LIMIT: '1' },
    );
    expect(settings.timeoutMs).toEqual({ value: 90_000, source: 'VAULT_CLIENT_TIMEOUT' });
    expect(settings.maxRetries.value).toBe(0);
    expect(settings.ignored).toEqual(['VAULT_RATE_LIMIT']);
  });
});

describe('a duration as Go writes it', () => {
  it.each([
    ['60', 60_000],
    ['90s', 90_000],
    ['1h2m3s', 3_723_000],
    ['500ms', 500],
    ['1.5s', 1_500],
    ['1.5m', 90_000],
    ['1m500ms', 60_500],
    ['365d', 86_400_000],
  ])('%s is %d ms', (value, milliseconds) => {
    expect(goDuration({ value, source: 'X' })).toBe(milliseconds);
  });

  it.each(['0', '0s', '0.1ms', '', '1x', '.', '1.2.3s'])('%j is refused: there is always a time-out', (value) => {
    expect(() => goDuration({ value, source: 'VAULT_CLIENT_TIMEOUT' })).toThrow(
      'VAULT_CLIENT_TIMEOUT is not a duration',
    );
  });

  it('is a number or refused, whatever the text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9hms.]{0,12}$/)), (value) => {
        try {
          expect(goDuration({ value, source: 'X' })).toBeGreaterThan(0);
        } catch (error) {
          expect(error).toMatchObject({ code: 'config_invalid' });
        }
      }),
    );
  });
});
