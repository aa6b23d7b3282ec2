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
    Annotations: {},
    LogConfig: { Type: "json-file", Config: {} },
  };
  expect(warningsOf({ HostConfig: asClientsSend })).toEqual([]);
  expect(warningsOf({})).toEqual([]);
  const asked = { ...asClientsSend, PidsLimit: 5000, OomScoreAdj: 5 };
  expect(warningsOf({ HostConfig: asked })).toEqual([
    "--oom-score-adj is not supported here, and was discarded.",
    "--pids-limit 5000 is 1024 here: a pod has from 32 to 1024 processes.",
  ]);
  const options = { LogConfig: { Type: "", Config: { "max-size": "1m" } }, Annotations: { a: "b" } };
  expect(warningsOf({ Domainname: "example.com", HostConfig: options })).toEqual([
    "--annotation is not supported here, and was discarded.",
    "--domainname is not supported here, and was discarded.",
    "--log-opt is not supported here, and was discarded.",
  ]);
});
