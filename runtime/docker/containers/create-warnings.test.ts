import { expect, test } from "vitest";
import { warningsOf } from "./create-warnings.ts";

test("what is asked for and not there is said; what was not asked for is not", () => {
  const asClientsSend = {
    CpuShares: 0,
    PidsLimit: null,
    Dns: [],
    ShmSize: 0,
    Ulimits: null,
    Runtime: "",
    Memory: 1 << 26,
  };
  expect(warningsOf({ HostConfig: asClientsSend })).toEqual([]);
  expect(warningsOf({})).toEqual([]);
  const asked = { ...asClientsSend, PidsLimit: 64, Dns: ["10.0.0.1"], Ulimits: [{ Name: "nofile", Soft: 1, Hard: 2 }] };
  expect(warningsOf({ HostConfig: asked })).toEqual([
    "--dns is not supported here, and was discarded.",
    "--pids-limit is not supported here, and was discarded.",
    "--ulimit is not supported here, and was discarded.",
  ]);
});
