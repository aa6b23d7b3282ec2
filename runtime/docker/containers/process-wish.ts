import { annotation, type Container, type PodSpec, textAt } from "@shallop/sdk/api";
import { DockerFault } from "../http/docker-fault.ts";
import type { ContainerRecord } from "./container-record.ts";
import { type ContainerRequest, type MountRequest, parseCreateBody } from "./create-body.ts";

/** Where the program of --init is in a container, as Docker has it. */
const initPath = "/sbin/docker-init";
const hostnamePattern = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;

/** Kubernetes replaces `$(NAME)` in commands and variables; Docker does not. */
export const literal = (word: string): string => word.replaceAll("$", "$$$$");

/** What Kubernetes has no field for, and a pod's node reads: users by name, limits, no network. Pure. */
export function processWish(
  { imageConfig }: Pick<ContainerRecord, "imageConfig">,
  { user, ulimits, pidsMax, networkMode }: ContainerRequest,
): Record<string, string> {
  const wish = {
    ...(user === "" || user === textAt(imageConfig, "User") || numbersOf(user) !== undefined ? {} : { user }),
    ...(Object.keys(ulimits).length === 0 ? {} : { ulimits }),
    ...(pidsMax === 0 ? {} : { pids: pidsMax }),
  };
  return {
    ...(Object.keys(wish).length === 0 ? {} : { [annotation.process]: JSON.stringify(wish) }),
    ...(networkMode === "none" ? { [annotation.network]: "none" } : {}),
  };
}

/** `uid[:gid]`, or root by name; undefined of other names, which only the image knows. Pure. */
export function numbersOf(text: string): { readonly runAsUser: number; readonly runAsGroup?: number } | undefined {
  const [, user, group] = /^(\d{1,9}|root)(?::(\d{1,9}|root))?$/.exec(text) ?? [];
  if (user === undefined) return undefined;
  const number = (part: string): number => (part === "root" ? 0 : Number(part));
  return { runAsUser: number(user), ...(group === undefined ? {} : { runAsGroup: number(group) }) };
}

/** What it calls itself, and how it finds names. Pure. @throws DockerFault BAD_REQUEST */
export function namesOf(
  { id, networks }: Pick<ContainerRecord, "id" | "networks">,
  { hostname, extraHosts, dns }: ContainerRequest,
): Pick<PodSpec, "hostname" | "hostAliases" | "dnsPolicy" | "dnsConfig"> {
  if (hostname !== "" && !hostnamePattern.test(hostname))
    throw new DockerFault("BAD_REQUEST", `invalid hostname: ${JSON.stringify(hostname.slice(0, 80))}`);
  const hostAliases = extraHosts.map(({ ip, name }) => ({ ip, hostnames: [name] }));
  const dnsConfig = {
    ...{ nameservers: dns.servers, searches: dns.searches },
    options: dns.options.map((option) => {
      const [name = "", value] = option.split(/:(.*)/s);
      return value === undefined ? { name } : { name, value };
    }),
  };
  // In the default network there are no names of others, which only the node's own server would know.
  const isOwn = dns.servers.length > 0 && Object.keys(networks).every((name) => name === "bridge");
  const isAsked = [dns.servers, dns.searches, dns.options].some((list) => list.length > 0);
  return {
    hostname: hostname === "" ? id.slice(0, 12) : hostname,
    ...(hostAliases.length === 0 ? {} : { hostAliases }),
    // As Docker's: the machine's search list. With Kubernetes' some clients (busybox) never ask for a peer's plain name.
    dnsPolicy: isOwn ? "None" : "Default",
    ...(isAsked ? { dnsConfig } : {}),
  };
}

/** Of `--init`: the container's own command, after the program that is its first process. Pure. */
export function initCommand(
  { imageConfig }: Pick<ContainerRecord, "imageConfig">,
  { entrypoint, cmd }: ContainerRequest,
): Pick<Container, "command"> {
  const image = parseCreateBody(imageConfig);
  const words = [
    ...(entrypoint ?? image.entrypoint ?? []),
    ...(cmd ?? (entrypoint === undefined ? image.cmd : undefined) ?? []),
  ];
  return { command: [initPath, "--", ...words.map(literal)] };
}

/** @throws DockerFault UNSUPPORTED when this machine has no such program */
export function initMounts(
  { init }: ContainerRequest,
  { initProgram }: { readonly initProgram?: string },
): readonly MountRequest[] {
  if (!init) return [];
  if (initProgram === undefined)
    throw new DockerFault(
      "UNSUPPORTED",
      "--init: this machine has no program for it; install catatonit, or tini's static one (/usr/bin/tini-static), and start the platform again",
    );
  return [{ type: "bind", source: initProgram, target: initPath, readOnly: true, create: false }];
}
