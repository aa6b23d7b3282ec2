import { annotation } from "@shallop/sdk/api";
import { expect, test } from "vitest";
import { processWishOf } from "./process-wish.ts";

const wish = (value: unknown): ReturnType<typeof processWishOf> =>
  processWishOf({
    ...{ namespace: "ns", name: "pod", labels: {}, ownerReferences: [], spec: { containers: [{ image: "i" }] } },
    annotations: { [annotation.process]: typeof value === "string" ? value : JSON.stringify(value) },
  });

test("a user by name, limits, processes", () => {
  expect(wish({ user: "www-data:adm", ulimits: { nofile: [100, 200] }, pids: 40 })).toEqual({
    ...{ user: "www-data:adm", pidsMax: 40 },
    resourceLimits: [{ name: "nofile", soft: 100, hard: 200 }],
  });
  expect(wish({})).toEqual({});
});

test.each([
  ["no JSON", "{"],
  ["a list", []],
  ["a user of three parts", { user: "a:b:c" }],
  ["a limit that reaches beyond the pod", { ulimits: { core: [1, 1] } }],
  ["a soft limit above the hard one", { ulimits: { nofile: [2, 1] } }],
  ["a limit that is no number", { ulimits: { nofile: ["1", "2"] } }],
  ["fewer than no processes", { pids: -1 }],
])("%s is refused", (_, value) => {
  expect(() => wish(value)).toThrow(expect.objectContaining({ code: "UNSUPPORTED" }));
});
