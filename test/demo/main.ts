import { fileURLToPath } from "node:url";
import { putLoad } from "../support/load.ts";
import { type Answer, eventually, Platform } from "../support/platform.ts";

// Shows the main job from nothing to nothing, with figures measured as it goes. Exit code 0: every step did what it says.

const sample = (name: string): string => fileURLToPath(new URL(`../../samples/${name}`, import.meta.url));
const colour = process.stdout.isTTY && process.env["NO_COLOR"] === undefined;
const bold = (text: string): string => (colour ? `\u001b[1m${text}\u001b[22m` : text);
const dim = (text: string): string => (colour ? `\u001b[2m${text}\u001b[22m` : text);

let step = 0;
const title = (text: string): void => console.log(`\n${bold(`${++step}. ${text}`)}`);
const show = (text: string): void => console.log(text.trimEnd().replace(/^/gm, "   "));
const check = (condition: boolean, what: string): void => {
  if (!condition) throw new Error(`the demo expected that ${what}`);
};

/** `queue;dur=25.7, activate;dur=25.0` → `queue 25.7 ms · activate 25.0 ms`. */
function phases(answer: Answer): string {
  const text = String(answer.headers["server-timing"] ?? "");
  return [...text.matchAll(/(\w+);dur=([\d.]+)/g)]
    .map(([, name, ms]) => `${name} ${Number(ms).toFixed(1)} ms`)
    .join(" · ");
}

async function podCount(platform: Platform, service: string): Promise<number> {
  const { pods } = JSON.parse(await platform.run("describe", service, "-o", "json")) as {
    readonly pods: readonly unknown[];
  };
  return pods.length;
}

/** The newest decisions of the autoscaler, with the formula that won and what bounded it. */
async function lastDecisions(platform: Platform, service: string): Promise<string> {
  const explained = JSON.parse(await platform.run("explain", service, "-o", "json")) as {
    readonly revisions: readonly {
      readonly decisions: readonly { want: number; ready: number; formula: string; bound?: string }[];
    }[];
  };
  const decisions = explained.revisions[0]?.decisions.slice(-4) ?? [];
  return decisions
    .map(
      ({ want, ready, formula, bound }) =>
        `want ${want}, ready ${ready}: ${formula}${bound === undefined ? "" : `, bound by ${bound}`}`,
    )
    .join("\n");
}

async function toZero(platform: Platform, service: string): Promise<number> {
  const began = performance.now();
  await eventually(
    `${service} has no pods`,
    async () => ((await podCount(platform, service)) === 0 ? true : undefined),
    90_000,
  );
  return (performance.now() - began) / 1000;
}

async function demo(platform: Platform): Promise<void> {
  show(platform.output);
  const { nodes } = JSON.parse(await platform.run("status", "-o", "json")) as {
    nodes: { native: string; missing: string[] }[];
  };
  const native = nodes[0]?.native === "yes";

  title("Source to image: a Hono application, as a component and natively");
  show(await platform.run("build", sample("hono"), "--push"));
  show(await platform.run("inspect", "hono:1.0.0").then((text) => text.split("\nimports")[0] ?? ""));

  title("Deploy");
  show(
    await platform.run("deploy", "hono", "--image", "hono:1.0.0", "--annotation", "autoscaling.knative.dev/target=10"),
  );
  show(dim(`waiting until it is at zero`));
  show(`at zero after ${(await toZero(platform, "hono")).toFixed(0)} s`);

  title("The first request, from zero");
  const cold = await platform.ask("hono.default");
  check(cold.status === 200 && cold.body === "hello from hono\n", "the first request is answered");
  show(`${cold.status} ${cold.body.trim()}   after ${cold.ms.toFixed(1)} ms\n${dim(phases(cold))}`);

  title("Load: pods go out");
  const counts: number[] = [];
  const watching = setInterval(() => void podCount(platform, "hono").then((count) => counts.push(count)), 1_000);
  const load = await putLoad({
    port: platform.ports.gateway,
    host: "hono.default.localhost",
    path: "/slow/100",
    connections: 60,
    durationMs: 12_000,
  });
  clearInterval(watching);
  const most = Math.max(...counts);
  show(
    `${load.requests} requests over 60 connections, ${load.requestsPerSecond.toFixed(0)}/s, p50 ${load.p50Ms.toFixed(0)} ms, p99 ${load.p99Ms.toFixed(0)} ms`,
  );
  show(`answers: ${JSON.stringify(load.statuses)}   pods, second by second: ${counts.join(" ")}`);
  check(most > 1, "load brings more pods");
  check(Object.keys(load.statuses).join() === "200" && load.broken === 0, "no request fails while pods go out");
  show(await lastDecisions(platform, "hono"));

  title("No load: back to zero");
  show(`at zero after ${(await toZero(platform, "hono")).toFixed(0)} s`);

  title("Two revisions share the traffic");
  await platform.run("deploy", "hono", "--image", "hono:1.0.0", "--env", "ROUND=2");
  show(await platform.run("traffic", "hono", "--to", "hono-00001=80", "--to", "hono-00002=20"));
  await eventually("the split is live", async () =>
    (await platform.run("traffic", "hono")).includes("20%") ? true : undefined,
  );
  const split = await putLoad({
    port: platform.ports.gateway,
    host: "hono.default.localhost",
    connections: 4,
    requestsMax: 200,
    durationMs: 20_000,
  });
  check(Object.keys(split.statuses).join() === "200", "no request fails during the split");
  const shares = await platform
    .run("describe", "hono", "-o", "json")
    .then((text) => JSON.parse(text) as { pods: { metadata: { labels: Record<string, string> } }[] });
  const revisions = new Set(shares.pods.map(({ metadata }) => metadata.labels["serving.knative.dev/revision"]));
  show(
    `200 requests answered; pods of ${[...revisions].toSorted((a, b) => String(a).localeCompare(String(b))).join(" and ")}`,
  );

  title("The same image, natively");
  if (native) await runNative(platform);
  else show(`not here: ${nodes[0]?.missing.join("; ")}`);

  title("Delete");
  for (const name of native ? ["hono", "native"] : ["hono"]) show(await platform.run("delete", name));
  show(await platform.run("status"));
}

async function runNative(platform: Platform): Promise<void> {
  await platform.run("deploy", "hono", "--image", "hono:1.0.0", "--prefer-variant", "native");
  await platform.run("traffic", "hono", "--latest");
  const chosen = await platform
    .run("describe", "hono", "-o", "json")
    .then(
      (text) =>
        JSON.parse(text) as { revisions: { status?: { preparedNodes?: { variant: string; reason: string }[] } }[] },
    );
  const reasons = chosen.revisions
    .flatMap(({ status }) => status?.preparedNodes ?? [])
    .filter(({ variant }) => variant === "native");
  check(reasons.length > 0, "the newest revision runs natively");
  show(`${reasons[0]?.variant}: ${reasons[0]?.reason}`);
  show(await platform.run("build", sample("native"), "--push").then((text) => text.split("\n")[0] ?? ""));
  await platform.run("deploy", "native", "--image", "native:1.0.0");
  await toZero(platform, "native");
  const cold = await platform.ask("native.default");
  check(cold.status === 200, "a native pod answers from zero");
  show(`${cold.status} ${cold.body.trim()}   from zero after ${cold.ms.toFixed(0)} ms\n${dim(phases(cold))}`);
}

title("Start the platform");
const platform = await Platform.start({ autoscaler: ["stable-window=6s", "scale-to-zero-grace-period=6s"] });
try {
  await demo(platform);
} catch (error) {
  console.error(`\n${error instanceof Error ? error.message : String(error)}\n${await platform.logs()}`);
  process.exitCode = 1;
} finally {
  title("Stop");
  await platform[Symbol.asyncDispose]();
  show(process.exitCode === 1 ? "the demo failed" : "nothing is left");
}
