import { dig, objectAt } from "@shallop/sdk/api";
import type { ContainerRecord } from "./container-record.ts";

/** Fields of HostConfig that are kept and shown, and that nothing here holds a container to; and the flags that set them. */
const flags: Readonly<Record<string, string>> = {
  BlkioWeight: "--blkio-weight",
  CpuShares: "--cpu-shares",
  CpusetCpus: "--cpuset-cpus",
  CpusetMems: "--cpuset-mems",
  Dns: "--dns",
  DnsOptions: "--dns-option",
  DnsSearch: "--dns-search",
  ExtraHosts: "--add-host",
  GroupAdd: "--group-add",
  MemoryReservation: "--memory-reservation",
  OomScoreAdj: "--oom-score-adj",
  PidsLimit: "--pids-limit",
  Runtime: "--runtime",
  ShmSize: "--shm-size",
  Ulimits: "--ulimit",
};

/** One sentence for each thing that was asked for and is not there, as Docker has for kernels that cannot do a thing. Pure. */
export function warningsOf(body: ContainerRecord["body"]): readonly string[] {
  const host = objectAt(body, "HostConfig");
  return Object.entries(flags)
    .filter(([field]) => isSet(dig(host, field)))
    .map(([, flag]) => `${flag} is not supported here, and was discarded.`);
}

/** Docker's clients send each field, with nothing in it where it was not given. */
const isSet = (value: unknown): boolean =>
  Array.isArray(value) ? value.length > 0 : value !== undefined && value !== null && value !== 0 && value !== "";
