// The front of this room: what a partner is and allows, as its profile says.
export { environmentOfChain } from './chain-environment.ts';
export { hostsOf } from './endpoint.ts';
export {
  type Endpoint,
  type Environment,
  type IssuerChain,
  type Refusal,
  type ServerTrust,
  serverTrustOf,
} from './environment.ts';
export { type Hours, nextWithin, outsideHours } from './lifecycle/hours.ts';
export type { Issuance, Lifecycle, Revocation, Swap, TestRequest } from './lifecycle/lifecycle.ts';
export { loadProfiles } from './load.ts';
export { type Contact, type Profile, type ProfileCount, Profiles } from './profiles.ts';
