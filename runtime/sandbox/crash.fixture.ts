// An agent that is killed in the middle of a start: `crash.fixture.ts DIRECTORY HOOK before|within|after`.
import { silentLog, systemClock, systemRandom } from "@shallop/sdk/internal";
import { NativeRuntime } from "./native-runtime.ts";
import { launchOf, sandboxMachines } from "./sandbox.fixture.ts";
import { type StartHook, startHooks } from "./start.ts";

const [, , directory = "", hookName = "", moment = ""] = process.argv;

const die = (): never => {
  process.kill(process.pid, "SIGKILL");
  throw new Error("unreachable: SIGKILL was sent");
};

const hooks = startHooks.map((hook): StartHook => {
  if (hook.name !== hookName) return hook;
  return {
    ...hook,
    run: async (start, tools) => {
      if (moment === "before") die();
      const running = hook.run(start, tools);
      if (moment === "within") {
        // About half of what the longest of them takes: a program is running, and nothing has been heard of it.
        await systemClock.sleep(2);
        die();
      }
      await running;
      die();
    },
  };
});

const [machine] = (await sandboxMachines()).machines;
if (machine === undefined) throw new Error("no native pods here");
const runtime = await NativeRuntime.open({
  directory,
  machine,
  hooks,
  clock: systemClock,
  random: systemRandom,
  log: silentLog,
  observer: { exited: () => undefined, logged: () => undefined, noticed: () => undefined },
});
await runtime.start(launchOf({ uid: "crash" }), AbortSignal.timeout(120_000));
// All hooks are done: the pod runs and is remembered.
die();
