import type { JsonObject } from "@shallop/sdk/api";
import { expect, test } from "vitest";
import { updatedHost } from "./update.ts";

const had = { Memory: 1000, NanoCpus: 5e8, Binds: ["a:/a"], RestartPolicy: { Name: "always", MaximumRetryCount: 0 } };
const unset = { Memory: 0, MemorySwap: 0, NanoCpus: 0, CpuQuota: 0, CpusetCpus: "", PidsLimit: null, Devices: [] };

test.each<[string, JsonObject, JsonObject]>([
  ["nothing", {}, {}],
  ["memory", { Memory: 2000, MemorySwap: -1 }, { Memory: 2000, MemorySwap: -1 }],
  ["shares", { CpuShares: 5, CpusetCpus: "0", BlkioWeight: 20 }, { CpuShares: 5, CpusetCpus: "0", BlkioWeight: 20 }],
  ["processes", { PidsLimit: 50 }, { PidsLimit: 50 }],
  ["what is only warned of", { MemoryReservation: 5 }, { MemoryReservation: 5 }],
  ["processors", { NanoCpus: 1e9 }, { NanoCpus: 1e9, CpuQuota: 0, CpuPeriod: 0 }],
  ["a quota in their place", { CpuQuota: 50_000 }, { NanoCpus: 0, CpuQuota: 50_000, CpuPeriod: 0 }],
  ["no name of a policy", { RestartPolicy: { Name: "", MaximumRetryCount: 0 } }, {}],
  ["a policy", { RestartPolicy: { Name: "no" } }, { RestartPolicy: { Name: "no" } }],
])("an update of %s", (_, said, changes) => {
  expect(updatedHost(had, { ...unset, ...said })).toEqual({ ...had, ...changes });
});

test.each<[JsonObject, string]>([
  [{ KernelMemory: 5 }, "UNSUPPORTED"],
  [{ NanoCpus: 1, CpuQuota: 1 }, "BAD_REQUEST"],
])("%j is refused rather than forgotten", (said, code) => {
  expect(() => updatedHost(had, { ...unset, ...said })).toThrow(expect.objectContaining({ code }));
});
