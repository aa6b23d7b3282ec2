import { annotation } from "@shallop/sdk/api";
import type { LogStore } from "../pod/log-store.ts";
import { containerName } from "./manifest.ts";
import { containersOf } from "./pod-plan.ts";
import type { PodRecord } from "./pod-record.ts";

/**
 * Opens the logs of a pod's containers. That of the serving container first: what a runtime says without naming a
 * container is its.
 */
export function openPodLogs(logs: LogStore, { manifest, uid, acceptedWallMs }: PodRecord): void {
  const { namespace, name, labels, annotations, spec } = manifest;
  const serving = containerName(spec);
  const others = containersOf(spec).flatMap((container) => (container.name === serving ? [] : (container.name ?? [])));
  for (const container of [serving, ...others]) {
    logs.open({
      namespace,
      pod: name,
      uid,
      container,
      ...optionalText("service", labels["serving.knative.dev/service"]),
      ...optionalText("revision", labels["serving.knative.dev/revision"]),
      ...optionalText("continued", continuedName(annotations[annotation.log])),
      openedWallMs: acceptedWallMs,
    });
  }
}

const optionalText = <Name extends string>(name: Name, text: string | undefined): { readonly [N in Name]?: string } =>
  // The cast says only that a computed name is that name.
  text === undefined ? {} : ({ [name]: text } as { readonly [N in Name]?: string });

/** What is no name continues nothing: a log is no reason not to run. */
const continuedName = (text: string | undefined): string | undefined =>
  text !== undefined && /^[A-Za-z0-9][-A-Za-z0-9_.]{0,252}$/.test(text) ? text : undefined;
