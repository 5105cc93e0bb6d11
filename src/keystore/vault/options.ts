import type { Circuit } from '../circuit.ts';

/** How to log in. Without it, a token out of the environment or of `~/.vault-token` is used. */
export type VaultLogin =
  | { readonly method: 'token_file'; readonly file: string }
  | {
      readonly method: 'approle';
      readonly mount?: string;
      readonly roleId: string;
      readonly secretIdFile: string;
      readonly wrapped?: boolean;
    }
  | { readonly method: 'kubernetes'; readonly mount?: string; readonly role: string; readonly tokenFile?: string }
  | { readonly method: 'jwt'; readonly mount?: string; readonly role: string; readonly tokenFile: string }
  | { readonly method: 'certificate'; readonly mount?: string; readonly role?: string };

/** Paths of PEM files, and what the server's certificate is held against. */
export interface VaultTlsOptions {
  readonly caFile?: string;
  /** Folder of CA certificates in files that end in .pem, .crt or .cer. */
  readonly caFolder?: string;
  readonly clientCertificateFile?: string;
  readonly clientKeyFile?: string;
  readonly serverName?: string;
  /** Only with this does `BAO_SKIP_VERIFY` or `VAULT_SKIP_VERIFY` have an effect; else it is refused. Default: false. */
  readonly allowSkipVerify?: boolean;
}

/** Where Vault is and how it is spoken to. What is absent here comes from the environment, if it has it. */
export interface VaultConnection {
  /** `https://vault.example:8200`; plain http only for a loopback address. */
  readonly address?: string;
  readonly namespace?: string;
  readonly tls?: VaultTlsOptions;
  readonly login?: VaultLogin;
  /** One attempt, in milliseconds. Default: 2,500. */
  readonly timeoutMs?: number;
  /** Attempts after the first. Default: 2. */
  readonly maxRetries?: number;
  /** Origins of the cluster's other nodes, to which a standby may redirect. Default: none but the address's own. */
  readonly followTo?: readonly string[];
  /** How long the circuit stays open after repeated failures, in milliseconds. Default: 5,000. */
  readonly breakMs?: number;
  readonly onCircuit?: (circuit: Circuit) => void;
  /** Default: the process's own. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

export interface VaultStoreOptions extends VaultConnection {
  /** Of a KV version 2 secrets engine. Default: `secret`. */
  readonly mount?: string;
  /** Folder under the mount that is Keyturn's alone. Default: `keyturn`. */
  readonly prefix?: string;
  /** Told when the copy of a record's name in its custom metadata could not be written; the record itself stands. */
  readonly onMirrorFailure?: (record: string, error: Error) => void;
}
