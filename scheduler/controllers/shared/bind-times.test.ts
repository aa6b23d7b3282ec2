import { Metrics, prometheusText } from "@shallop/sdk/internal/telemetry";
import { FakeClock } from "@shallop/sdk/internal/testing";
import { rfc3339 } from "@shallop/sdk/internal";
import { expect, test } from "vitest";
import { BindTimes } from "./bind-times.ts";

test("attempts are timed by how they ended, and waits from a pod's creation on", async () => {
  const clock = new FakeClock();
  const metrics = new Metrics();
  const times = new BindTimes(metrics, clock);
  const created = rfc3339(clock.wallMs());
  const over = times.attempt();
  await clock.advance(40);
  over("unschedulable");
  const again = times.attempt();
  await clock.advance(960);
  again("scheduled");
  times.bound(created);
  times.bound("never");
  const text = prometheusText(await metrics.collect());
  expect(text).toContain('scheduler_scheduling_attempt_duration_seconds_bucket{result="unschedulable",le="0.05"} 1\n');
  expect(text).toContain('scheduler_scheduling_attempt_duration_seconds_sum{result="scheduled"} 0.96\n');
  expect(text).toContain("scheduler_pod_scheduling_sli_duration_seconds_count 1\n");
  expect(text).toContain('scheduler_pod_scheduling_sli_duration_seconds_bucket{le="1"} 1\n');
});
