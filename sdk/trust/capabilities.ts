import type { Container, RevisionSpec } from "@shallop/sdk/api";
import type { ImageDemands } from "./image-demands.ts";

/** A revision by what it may do: its image, and the spec that runs it. */
export interface RevisionDemands {
  readonly image: ImageDemands;
  readonly spec: RevisionSpec;
}

/** Interfaces that reach hosts; which hosts a node lets anybody reach, its egress policy says. */
const networkImport = /^wasi:(?:http\/(?:outgoing-handler|client)|sockets\/.*)$/;
/** Below it a port is one that a machine keeps for its services. */
const unprivilegedPortMin = 1024;

/**
 * What a revision asks for beside a processor and memory, one text each, sorted: the interfaces that its component imports
 * (without their versions, because a newer version of the same is no other capability), hosts, variables, and what its
 * native variant may do. Pure.
 */
export function capabilitiesOf({ image, spec }: RevisionDemands): readonly string[] {
  const imports = image.imports.map(withoutVersion);
  const isNative = image.kinds.includes("native");
  const all = [
    ...imports,
    ...image.unlisted.map((digest) => `imports that its image does not list (${digest})`),
    ...(isNative || imports.some((name) => networkImport.test(name)) ? ["network: any host that its node allows"] : []),
    ...spec.containers.flatMap(({ env = [] }) => env.map(({ name }) => `variable ${name}`)),
    ...(isNative ? spec.containers.flatMap((container) => nativeCapabilities(container, image.users)) : []),
  ];
  return [...new Set(all)].sort();
}

/** What `wanted` asks for and `running` does not. Pure. */
export function newCapabilities(running: RevisionDemands, wanted: RevisionDemands): readonly string[] {
  const had = new Set(capabilitiesOf(running));
  return capabilitiesOf(wanted).filter((name) => !had.has(name));
}

export const withoutVersion = (name: string): string => name.replace(/@.*$/, "");

function nativeCapabilities({ securityContext = {}, ports = [] }: Container, users: readonly string[]): string[] {
  const { capabilities = {}, runAsUser } = securityContext;
  const isRoot = runAsUser === undefined ? users.some(isRootUser) : runAsUser === 0;
  const dropsAll = (capabilities.drop ?? []).some((name) => name.toUpperCase() === "ALL");
  const asked: readonly (readonly [boolean, string])[] = [
    [isRoot, "user root"],
    [isRoot && !dropsAll, "root's usual capabilities"],
    [securityContext.readOnlyRootFilesystem === false, "directory / to write"],
    [securityContext.privileged === true, "privileged"],
    [securityContext.allowPrivilegeEscalation === true, "allowPrivilegeEscalation"],
    [securityContext.seccompProfile?.type === "Unconfined", "seccompProfile Unconfined"],
    [(securityContext.procMount ?? "Default") !== "Default", "procMount Unmasked"],
  ];
  return [
    "native variant",
    ...asked.filter(([isAsked]) => isAsked).map(([, what]) => `native: ${what}`),
    ...(capabilities.add ?? []).map((name) => `native: capability ${name.toUpperCase().replace(/^CAP_/, "")}`),
    ...ports
      .filter(({ containerPort }) => containerPort < unprivilegedPortMin)
      .map(({ containerPort }) => `native: port ${String(containerPort)}`),
  ];
}

/** A name that an image's passwd file has for 0 besides is not seen here; nobody has one by accident. */
const isRootUser = (user: string): boolean => /^(?:root|0*)?(?::|$)/.test(user);
