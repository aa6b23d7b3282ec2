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

test("a pod's share of disks' time is its annotation's", () => {
  expect(launch({})).not.toHaveProperty("ioWeight");
  for (const weight of [10, 500, 1000])
    expect(launch({ "shallop.dev/io-weight": String(weight) }).ioWeight).toBe(weight);
});

test.each(["9", "1001", "", "1e2", " 100", "-20", "0x20", "100000"])("%j is no share of disks' time", (weight) => {
  expect(() => launch({ "shallop.dev/io-weight": weight })).toThrow(
    expect.objectContaining({ code: "UNSUPPORTED" }) as Error,
  );
});
