import type { Change } from '../../src/ledger/change.ts';
import type { CredentialRow, HoldRow, LeaseRow, StoreRow, VersionRow } from '../../src/ledger/tables.ts';

/** Rows and changes with everything filled in, to be varied by what a test is about. */

export function credential(name: string): CredentialRow {
  return { name, partner: 'lean', environment: 'sandbox', created_at: 1 };
}

export function version(name: string, number: number, vary: Partial<VersionRow> = {}): VersionRow {
  return {
    credential: name,
    version: number,
    state: 'staged',
    spki: `${name}-${number}`,
    serial: '1',
    subject: 'CN=payments',
    issuer: 'CN=partner',
    not_before: 0,
    not_after: 1,
    certificate: '',
    chain: '',
    store: 'file',
    record: `${name}-${number}`,
    custody: '{}',
    created_at: 1,
    changed_at: 1,
    ...vary,
  };
}

export function hold(id: string, vary: Partial<HoldRow> = {}): HoldRow {
  return {
    id,
    target: 'host',
    subject: 'api.example.com',
    reason: 'drill',
    placed_by: 'person:alice',
    placed_at: 1,
    thaw_asked_by: null,
    thaw_asked_at: null,
    lifted_by: null,
    lifted_at: null,
    ...vary,
  };
}

export function lease(id: string, of: Pick<VersionRow, 'credential' | 'version'>): LeaseRow {
  return {
    id,
    credential: of.credential,
    version: of.version,
    principal: 'service:payments',
    token: 'token_1',
    state: 'live',
    granted_at: 1,
    renewed_at: null,
    expires_at: 2,
    uses: null,
    replaced_by: null,
    in_use: null,
  };
}

export function store(name: string, generation: number): StoreRow {
  return { store: name, generation, digest: 'aa' };
}

/** A change that records only; `vary` adds the rest. */
export function change(kind: string, vary: Partial<Change> = {}): Change {
  return { entry: { kind, actor: 'person:alice', data: {} }, ...vary };
}
