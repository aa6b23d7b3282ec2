import { expect, test } from "vitest";
import type { LocalImage } from "../image/local-image.ts";
import type { PodLimits } from "../pod/pod-runtime.ts";
import { launchOf } from "./manifest.ts";

const launch = (annotations: Record<string, string>) =>
  launchOf(
    {
      uid: "u",
      limits: {} as PodLimits,
      manifest: {
        ...{ namespace: "team", name: "p", labels: {}, annotations, ownerReferences: [] },
        spec: { containers: [{ name: "c", image: "i" }] },
      },
    },
    {} as LocalImage,
  );

test("a pod's share of disks' and processors' time is its annotations'", () => {
  expect(launch({})).not.toHaveProperty("shares");
  for (const ioWeight of [10, 500, 1000])
    expect(launch({ "shallop.dev/io-weight": String(ioWeight) }).shares).toEqual({ ioWeight });
  expect(launch({ "shallop.dev/cpu-shares": "2", "shallop.dev/cpus": "0-2,5" }).shares).toEqual({
    ...{ cpuShares: 2, cpus: "0-2,5" },
  });
});

test.each<[string, string]>([
  ["shallop.dev/cpu-shares", "1"],
  ["shallop.dev/cpu-shares", "262145"],
  ["shallop.dev/cpus", ""],
  ["shallop.dev/cpus", "0-"],
  ["shallop.dev/cpus", "0;1"],
  ["shallop.dev/cpus", `${"0,".repeat(3000)}0`],
])("%s: %.20j is none of a pod's shares", (key, text) => {
  expect(() => launch({ [key]: text })).toThrow(expect.objectContaining({ code: "UNSUPPORTED" }) as Error);
});

test.each(["9", "1001", "", "1e2", " 100", "-20", "0x20", "100000"])("%j is no share of disks' time", (weight) => {
  expect(() => launch({ "shallop.dev/io-weight": weight })).toThrow(
    expect.objectContaining({ code: "UNSUPPORTED" }) as Error,
  );
});
