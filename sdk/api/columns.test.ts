import { expect, test } from "vitest";
import { humanDuration } from "./columns.ts";
import type { JsonObject } from "./json.ts";
import { podKind } from "./kinds/pod.ts";

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

// k8s.io/apimachinery/pkg/util/duration/duration_test.go.
test.each([
  [-2 * second, "<invalid>"],
  [0, "0s"],
  [second - 1, "0s"],
  [119 * second, "119s"],
  [2 * minute, "2m"],
  [3 * minute + second, "3m1s"],
  [10 * minute, "10m"],
  [3 * hour - 1, "179m"],
  [3 * hour, "3h"],
  [7 * hour + 59 * minute, "7h59m"],
  [8 * hour + 5 * minute, "8h"],
  [47 * hour, "47h"],
  [2 * day + hour, "2d1h"],
  [8 * day + hour, "8d"],
  [2 * 365 * day - 1, "729d"],
  [2 * 365 * day + day, "2y1d"],
  [8 * 365 * day + day, "8y"],
])("%d ms is %s", (durationMs, text) => {
  expect(humanDuration(durationMs)).toBe(text);
});

const container = (state: JsonObject, more: JsonObject = {}): JsonObject => ({
  name: "c",
  ready: false,
  state,
  ...more,
});
const podCases: { name: string; pod: JsonObject; cells: unknown[] }[] = [
  { name: "pending", pod: { status: { phase: "Pending" } }, cells: ["0/1", "Pending", "0"] },
  {
    name: "running",
    pod: { status: { phase: "Running", containerStatuses: [container({ running: {} }, { ready: true })] } },
    cells: ["1/1", "Running", "0"],
  },
  {
    name: "in backoff",
    pod: {
      status: {
        phase: "Running",
        containerStatuses: [
          container(
            { waiting: { reason: "CrashLoopBackOff" } },
            { restartCount: 3, lastState: { terminated: { finishedAt: "1970-01-01T00:00:00Z" } } },
          ),
        ],
      },
    },
    cells: ["0/1", "CrashLoopBackOff", "3 (60s ago)"],
  },
  {
    name: "ended without reason",
    pod: { status: { phase: "Failed", containerStatuses: [container({ terminated: { exitCode: 3, reason: "" } })] } },
    cells: ["0/1", "ExitCode:3", "0"],
  },
  {
    name: "going",
    pod: { metadata: { deletionTimestamp: "1970-01-01T00:00:00Z" }, status: { phase: "Running" } },
    cells: ["0/1", "Terminating", "0"],
  },
];

test.each(podCases)("a pod that is $name", ({ pod, cells }) => {
  const full = { spec: { containers: [{ name: "c" }] }, ...pod };
  expect(podKind.columns.slice(1, 4).map((column) => column.cell(full, minute))).toEqual(cells);
});
