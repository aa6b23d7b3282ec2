import { describe, expect, test } from "vitest";
import { newPod, type Past, type PodEvent, type PodState, type Run, step } from "./pod-state.ts";

const past: Past = { restartCount: 0, crashCount: 0, refusalCount: 0 };
const run: Run = { endpoint: { protocol: "wire", socket: "/s" }, containerId: "wasm://1", startedWallMs: 5 };
const crash = { exitCode: 1, reason: "Error", message: "boom", finishedWallMs: 9 };

const states = {
  pending: newPod,
  pulling: { phase: "pulling", past },
  starting: { phase: "starting", past },
  ready: { phase: "ready", past, run, sinceMs: 0 },
  draining: { phase: "draining", past, run, untilMs: 5000 },
  backoff: { phase: "backoff", past, untilMs: 50, reason: "CrashLoopBackOff", message: "" },
  ended: { phase: "ended", past, outcome: "Stopped" },
} satisfies Record<PodState["phase"], PodState>;

const events = {
  begin: { kind: "begin", prepared: false },
  adopted: { kind: "adopted", run },
  lost: { kind: "lost" },
  pulled: { kind: "pulled" },
  "pull-failed": { kind: "pull-failed", message: "no such image" },
  started: { kind: "started", run },
  refused: { kind: "refused", reason: "NoCapacity", message: "full" },
  "start-failed": { kind: "start-failed", ended: crash, restart: "Always" },
  exited: { kind: "exited", ended: crash, restart: "Always" },
  timer: { kind: "timer" },
  stop: { kind: "stop", graceMs: 1000 },
  stopped: { kind: "stopped" },
} satisfies Record<PodEvent["kind"], PodEvent>;

// Phase × event → next phase and the effects, in short. What is not named leaves the state alone.
const table: { readonly [Phase in PodState["phase"]]: Partial<Record<PodEvent["kind"], string>> } = {
  pending: { begin: "pulling: pull", adopted: "ready:", lost: "ended:", stop: "ended:" },
  pulling: { pulled: "starting: start", "pull-failed": "backoff: wake Failed", stop: "ended: cancel" },
  starting: {
    started: "ready: Started",
    refused: "backoff: wake Failed",
    "start-failed": "starting: Died start-again",
    stop: "draining: cancel stop-0",
  },
  ready: { exited: "starting: Died start-again", stop: "draining: Killing stop-1000" },
  draining: { started: "draining: stop-0", stop: "draining: stop-1000", stopped: "ended:" },
  backoff: { timer: "starting: start-again", stop: "ended: stop-0" },
  ended: {},
};

function brief(effect: ReturnType<typeof step>["effects"][number]): string {
  if (effect.kind === "event") return effect.reason;
  if (effect.kind === "stop") return `stop-${String(effect.graceMs)}`;
  if (effect.kind === "start") return effect.again ? "start-again" : "start";
  return effect.kind;
}

describe("every phase × every event", () => {
  for (const [phase, state] of Object.entries(states)) {
    for (const [kind, event] of Object.entries(events)) {
      const expected = table[state.phase][event.kind];
      test(`${phase} × ${kind} → ${expected ?? "as it was"}`, () => {
        const next = step(state, event, 100);
        if (expected === undefined) {
          expect(next.state).toBe(state);
          expect(next.effects).toEqual([]);
        } else {
          expect(`${next.state.phase}: ${next.effects.map(brief).join(" ")}`.trim()).toBe(expected);
        }
      });
    }
  }
});

test("crashes in a row wait longer each time, and count as restarts", () => {
  let state: PodState = states.ready;
  const waits: number[] = [];
  for (let count = 0; count < 5; count++) {
    const died = step(state, events.exited, 1000);
    const wake = died.effects.find((effect) => effect.kind === "wake");
    waits.push(wake === undefined ? 0 : wake.atMs - 1000);
    state = died.state.phase === "backoff" ? step(died.state, events.timer, wake?.atMs ?? 0).state : died.state;
    expect(state.past.restartCount).toBe(count + 1);
    state = step({ ...states.starting, past: state.past }, events.started, 1000).state;
  }
  expect(waits).toEqual([0, 10_000, 20_000, 40_000, 80_000]);
});

test("a pod that was well for ten minutes is restarted at once", () => {
  const tired: PodState = { ...states.ready, past: { ...past, crashCount: 6 } };
  expect(step(tired, events.exited, 599_999).state.phase).toBe("backoff");
  expect(step(tired, events.exited, 600_000).state.phase).toBe("starting");
});

test.each([
  ["Never", 1, "Failed"],
  ["Never", 0, "Succeeded"],
  ["OnFailure", 0, "Succeeded"],
] as const)("restart policy %s, exit code %d → %s", (restart, exitCode, outcome) => {
  const end = step(states.ready, { kind: "exited", ended: { ...crash, exitCode }, restart }, 0);
  expect(end.state).toMatchObject({ phase: "ended", outcome });
  expect(end.effects.map(brief)).toContain("stop-0");
});

test("a refusal is asked again from the pull on, not counted as a restart", () => {
  const refused = step(states.starting, events.refused, 0);
  expect(refused.state).toMatchObject({ phase: "backoff", untilMs: 10_000, reason: "NoCapacity" });
  const again = step(refused.state, events.timer, 10_000);
  expect(again.state).toMatchObject({ phase: "pulling", past: { restartCount: 0, refusalCount: 1 } });
});

test("the timer before its time changes nothing", () => {
  expect(step(states.backoff, events.timer, 49).state).toBe(states.backoff);
});

test("a later stop may shorten the grace, not lengthen it", () => {
  expect(step(states.draining, { kind: "stop", graceMs: 60_000 }, 0).effects).toEqual([]);
  expect(step(states.draining, { kind: "stop", graceMs: 10 }, 0).effects).toEqual([{ kind: "stop", graceMs: 10 }]);
});
