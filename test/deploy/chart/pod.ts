import { only, type Resource } from './render.ts';

interface Probe {
  readonly httpGet: { readonly path: string; readonly scheme: string; readonly port: string };
}

export interface Container {
  readonly name: string;
  readonly image: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: readonly { readonly name: string }[];
  readonly securityContext: Readonly<Record<string, unknown>>;
  readonly resources: { readonly requests?: object; readonly limits?: object };
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
  readonly livenessProbe?: Probe;
  readonly readinessProbe?: Probe;
}

interface Source {
  readonly secret?: { readonly name: string };
  readonly configMap?: { readonly name: string };
}

export interface Pod {
  readonly automountServiceAccountToken: boolean;
  readonly serviceAccountName: string;
  readonly securityContext: Readonly<Record<string, unknown>>;
  readonly terminationGracePeriodSeconds: number;
  readonly initContainers: readonly Container[];
  readonly containers: readonly Container[];
  readonly volumes: readonly {
    readonly name: string;
    readonly emptyDir?: { readonly medium?: string };
    readonly secret?: object;
    readonly projected?: { readonly sources: readonly Source[] };
  }[];
}

export function podOf(resources: readonly Resource[]): Pod {
  const { spec } = only(resources, 'StatefulSet') as unknown as { spec: { template: { spec: Pod } } };
  return spec.template.spec;
}

export function serverOf(pod: Pod): Container {
  const [server, ...others] = pod.containers;
  if (server === undefined || others.length > 0) throw new Error('There is not exactly one container.');
  return server;
}

/** keyturn.yaml as the pods get it. */
export function configOf(resources: readonly Resource[]): string {
  return only(resources, 'ConfigMap').data?.['keyturn.yaml'] ?? '';
}
