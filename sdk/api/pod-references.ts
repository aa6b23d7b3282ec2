import type { PodSpec } from "./core.ts";

/** Names of the objects of its namespace that a pod is made of. */
export interface PodReferences {
  readonly secrets: ReadonlySet<string>;
  readonly configMaps: ReadonlySet<string>;
}

/** What a pod takes its variables and files from. Pure. */
export function referencesOf({ containers, initContainers = [], volumes = [] }: PodSpec): PodReferences {
  const [secrets, configMaps] = [new Set<string>(), new Set<string>()];
  const add = (names: Set<string>, name: string | undefined): void => {
    if (name !== undefined && name !== "") names.add(name);
  };
  for (const { env = [], envFrom = [] } of [...initContainers, ...containers]) {
    for (const { valueFrom } of env) {
      add(secrets, valueFrom?.secretKeyRef?.name);
      add(configMaps, valueFrom?.configMapKeyRef?.name);
    }
    for (const { secretRef, configMapRef } of envFrom) {
      add(secrets, secretRef?.name);
      add(configMaps, configMapRef?.name);
    }
  }
  for (const { secret, configMap, projected } of volumes) {
    add(secrets, secret?.secretName);
    add(configMaps, configMap?.name);
    for (const source of projected?.sources ?? []) {
      add(secrets, source.secret?.name);
      add(configMaps, source.configMap?.name);
    }
  }
  return { secrets, configMaps };
}
