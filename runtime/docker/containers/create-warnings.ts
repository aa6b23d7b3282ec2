import { dig, numberAt, objectAt } from "@shallop/sdk/api";
import type { ContainerRecord } from "./container-record.ts";

/** Fields of HostConfig that are kept and shown, and that nothing here holds a container to; and the flags that set them. */
const flags: Readonly<Record<string, string>> = {
  Annotations: "--annotation",
  BlkioDeviceReadBps: "--device-read-bps",
  BlkioDeviceReadIOps: "--device-read-iops",
  BlkioDeviceWriteBps: "--device-write-bps",
  BlkioDeviceWriteIOps: "--device-write-iops",
  BlkioWeightDevice: "--blkio-weight-device",
  CpuRealtimePeriod: "--cpu-rt-period",
  CpuRealtimeRuntime: "--cpu-rt-runtime",
  CpusetMems: "--cpuset-mems",
  MemoryReservation: "--memory-reservation",
  OomScoreAdj: "--oom-score-adj",
};

/** One sentence for each thing that was asked for and is not there, as Docker has for kernels that cannot do a thing. Pure. */
export function warningsOf(body: ContainerRecord["body"]): readonly string[] {
  const host = objectAt(body, "HostConfig");
  const others = [
    ...(isSet(dig(body, "Domainname")) ? ["--domainname"] : []),
    ...(isSet(dig(host, "LogConfig", "Config")) ? ["--log-opt"] : []),
  ];
  const discarded = Object.entries(flags).flatMap(([field, flag]) => (isSet(dig(host, field)) ? [flag] : []));
  return [
    ...[...discarded, ...others].map((flag) => `${flag} is not supported here, and was discarded.`),
    ...pidsWarning(numberAt(host, "PidsLimit") ?? 0),
  ];
}

/** What nodes hold pods to: the runtime's own start needs some, and no pod has more. */
const pidsBounds = { min: 32, max: 1024 } as const;

function pidsWarning(asked: number): readonly string[] {
  const { min, max } = pidsBounds;
  const held = Math.min(max, Math.max(min, asked));
  if (asked <= 0 || held === asked) return [];
  return [
    `--pids-limit ${String(asked)} is ${String(held)} here: a pod has from ${String(min)} to ${String(max)} processes.`,
  ];
}

/** Docker's clients send each field, with nothing in it where it was not given. */
const isSet = (value: unknown): boolean =>
  typeof value === "object" && value !== null
    ? Object.keys(value).length > 0
    : value !== undefined && value !== null && value !== 0 && value !== "";
