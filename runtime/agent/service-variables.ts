import { annotation, apiService, type CoreService, isServiceAddress } from "@shallop/sdk/api";
import type { PodManifest } from "./manifest.ts";

/**
 * The variables by which a pod finds Services, as the kubelet gives them (kubernetes/pkg/kubelet/envvars): the API's in any case, those of
 * its own namespace unless it says `enableServiceLinks: false`. Pure.
 */
export function serviceVariables(
  { namespace, spec, annotations }: Pick<PodManifest, "namespace" | "spec" | "annotations">,
  services: readonly CoreService[],
): ReadonlyMap<string, string> {
  if (annotations[annotation.serviceVariables] === "none") return new Map();
  const links = spec.enableServiceLinks !== false;
  const own = services.filter(({ metadata }) => links && metadata.namespace === namespace);
  const isOwn = new Set(own.map(({ metadata }) => metadata.name));
  const api = services.filter(
    ({ metadata }) =>
      metadata.namespace === apiService.namespace && metadata.name === apiService.name && !isOwn.has(apiService.name),
  );
  return new Map([...api, ...own].flatMap(variablesOf));
}

function variablesOf({ metadata, spec }: CoreService): readonly (readonly [string, string])[] {
  const { clusterIP = "", ports = [] } = spec ?? {};
  const [first] = ports;
  // A headless one, or one that is a name elsewhere, has no address.
  if (!isServiceAddress(clusterIP) || first === undefined) return [];
  const prefix = variableName(metadata.name);
  const url = ({ port, protocol = "TCP" }: Port): string => `${protocol.toLowerCase()}://${clusterIP}:${String(port)}`;
  return [
    [`${prefix}_SERVICE_HOST`, clusterIP],
    [`${prefix}_SERVICE_PORT`, String(first.port)],
    ...ports.flatMap(({ name = "", port }) =>
      name === "" ? [] : [[`${prefix}_SERVICE_PORT_${variableName(name)}`, String(port)] as const],
    ),
    // As Docker's links had them.
    [`${prefix}_PORT`, url(first)],
    ...ports.flatMap((port) => {
      const { protocol = "TCP" } = port;
      const one = `${prefix}_PORT_${String(port.port)}_${protocol}`;
      return [
        [one, url(port)],
        [`${one}_PROTO`, protocol.toLowerCase()],
        [`${one}_PORT`, String(port.port)],
        [`${one}_ADDR`, clusterIP],
      ] as const;
    }),
  ];
}

type Port = NonNullable<NonNullable<CoreService["spec"]>["ports"]>[number];

const variableName = (name: string): string => name.toUpperCase().replaceAll("-", "_");
