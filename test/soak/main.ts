import { parseArgs } from "node:util";
import { Platform } from "../support/platform.ts";
import { Workshop } from "../support/workshop.ts";
import { type Killable, killable } from "./disturbances.ts";
import { report, soak } from "./soak.ts";

// `npm run soak -- --seconds 600 --rate 500 --kill control-plane,node-agent,host`: a platform of its own under mixed load, while it is
// updated, rolled back and killed in parts. Exits with 1 when a request failed or memory has grown.

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    rate: { type: "string", default: "100" },
    "slow-ms": { type: "string", default: "10000" },
    seed: { type: "string", default: "1" },
    rollouts: { type: "string", default: "100" },
    kill: { type: "string", default: "" },
    "kill-every": { type: "string", default: "10" },
  },
});

function number(name: Exclude<keyof typeof values, "kill">): number {
  const value = Number(values[name]);
  if (!Number.isFinite(value) || value < 0) throw new Error(`--${name} is a number, not ${values[name]}`);
  return value;
}

function kinds(): readonly Killable[] {
  const names = values.kill === "" ? [] : values.kill.split(",");
  const known = names.filter((name): name is Killable => (killable as readonly string[]).includes(name));
  if (known.length < names.length) throw new Error(`--kill is a list of ${killable.join(", ")}, not ${values.kill}`);
  return known;
}

const options = {
  seconds: number("seconds"),
  requestsPerSecond: number("rate"),
  slowMs: number("slow-ms"),
  seed: number("seed"),
  rollouts: number("rollouts"),
  kinds: kinds(),
  killEveryMs: number("kill-every") * 1000,
};
await using workshop = await Workshop.open();
// The smallest windows that Knative allows: revisions that are over leave soon, and memory has a level to stay at.
await using platform = await Platform.start({ autoscaler: ["stable-window=6s", "scale-to-zero-grace-period=6s"] });
console.log(`soak: ${options.seconds} s, ${options.requestsPerSecond} requests/s, seed ${options.seed}`);
const outcome = await soak(platform, workshop, options).catch(async (error: unknown) => {
  console.error(await platform.logs());
  throw error;
});
const wrong = report(outcome);
for (const sentence of wrong) console.error(sentence);
if (wrong.length > 0) {
  const events = await platform.run("events").catch(String);
  console.error(
    events
      .split("\n")
      .filter((line) => !/ Normal /.test(line))
      .join("\n"),
  );
  console.error(await platform.logs());
  process.exitCode = 1;
}
