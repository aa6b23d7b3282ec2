import { expect, test } from "vitest";
import type { Service } from "../../api/index.ts";
import { deployProgress } from "./deploy-progress.ts";

const service = (
  observedGeneration: number,
  ready?: { status: "True" | "False" | "Unknown"; reason?: string; message?: string },
) =>
  ({
    status: { observedGeneration, conditions: ready === undefined ? [] : [{ type: "Ready", ...ready }] },
  }) as unknown as Service;

const rollout = { status: "Unknown", reason: "RolloutInProgress", message: "web-00002 gets 5%" } as const;

test.each([
  ["nothing is known yet", service(0), { phase: "waiting", what: "waiting for the control plane" }],
  ["what is known is of before", service(1, { status: "True" }), { phase: "waiting" }],
  ["a rollout of before", service(1, rollout), { phase: "waiting" }],
  ["it is ready", service(2, { status: "True" }), { phase: "answers", rollout: undefined }],
  ["it gets its requests in steps", service(2, rollout), { phase: "answers", rollout: "web-00002 gets 5%" }],
  ["it is on its way", service(2, { status: "Unknown", message: "no pod" }), { phase: "waiting", what: "no pod" }],
  ["it cannot be", service(2, { status: "False", reason: "A", message: "b" }), { phase: "failed", why: "A: b" }],
])("%s", (_name, seen, progress) => {
  expect(deployProgress(seen, 2)).toMatchObject(progress);
});
