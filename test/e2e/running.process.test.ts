import { request as httpRequest } from "node:http";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { updateAndRollBack } from "../soak/disturbances.ts";
import { echoScript, MixedLoad } from "../soak/mixed-load.ts";
import { behavioursScript, whoScript } from "../support/behaviours.ts";
import { componentThatImports } from "../../runtime/host/testing/components.ts";
import { needKubectl, type Kubectl } from "../support/kubectl.ts";
import { type Answer, eventually, Platform } from "../support/platform.ts";
import { callSteadily } from "../support/steady-caller.ts";
import { Workshop } from "../support/workshop.ts";

// What a pod is while it runs: which variant and why, its limits, its log, its streams, what it is told of the client; and
// how requests are shared out over revisions and pods.

let platform: Platform;
let workshop: Workshop;
let kubectl: Kubectl;
let native = false;

const nativeScript = "export default { fetch: () => new Response('native\\n') };";

beforeAll(async () => {
  workshop = await Workshop.open();
  platform = await Platform.start({ autoscaler: ["stable-window=6s", "scale-to-zero-grace-period=6s"] });
  kubectl = await needKubectl(platform.kubeconfig);
  const { nodes } = JSON.parse(await platform.run("status", "-o", "json")) as { nodes: { native: string }[] };
  native = nodes[0]?.native === "yes";
  await workshop.publish(platform, "both", { script: whoScript, native: nativeScript });
  await workshop.publish(platform, "who", { script: whoScript });
  const image = await workshop.publish(platform, "behave", { script: behavioursScript });
  await platform.run("deploy", "behave", "--image", image, "--min-scale", "1", "--memory", "128Mi");
});
afterEach(async ({ task }) => {
  if (task.result?.state === "fail") console.log(await platform?.logs());
});
afterAll(async () => {
  await kubectl?.[Symbol.asyncDispose]();
  await platform?.[Symbol.asyncDispose]();
  await workshop?.[Symbol.asyncDispose]();
});

const behave = (path: string, options?: Parameters<Platform["ask"]>[2]): Promise<Answer> =>
  platform.ask("behave.default", path, options);

interface Described {
  readonly revisions: readonly {
    readonly metadata: { readonly name: string };
    readonly status?: { readonly preparedNodes?: readonly { readonly variant: string; readonly reason: string }[] };
  }[];
  readonly pods: readonly { readonly metadata: { readonly labels: Readonly<Record<string, string>> } }[];
}

const describeService = async (name: string): Promise<Described> =>
  JSON.parse(await platform.run("describe", name, "-o", "json")) as Described;

/** The variant of a service's newest revision, and why. */
async function variantOf(name: string): Promise<{ readonly variant: string; readonly reason: string }> {
  const { revisions } = await describeService(name);
  const newest = revisions.toSorted((a, b) => (a.metadata.name < b.metadata.name ? 1 : -1))[0];
  const prepared = newest?.status?.preparedNodes?.[0];
  if (prepared === undefined) throw new Error(`${name} is prepared nowhere`);
  return prepared;
}

test("Wasm comes first, and the reason is shown and an event", async () => {
  await platform.run("deploy", "both", "--image", "both:1", "--env", "WHO=wasm");
  expect((await platform.ask("both.default")).body).toBe("wasm\n");
  expect(await variantOf("both")).toMatchObject({
    variant: "wasm",
    reason: expect.stringContaining("Wasm comes first"),
  });
  const text = await platform.run("describe", "both");
  expect(text).toMatch(/both-00001 .* wasm +Wasm variant wasip2\/wasm: Wasm comes first/);
  expect(text).toMatch(/VariantChosen/);
});

test("a tag that names another image by now is deployed anew; one that does not changes nothing", async () => {
  const saying = (word: string): string => `export default { fetch: () => new Response("${word}\\n") };`;
  const deploy = async (): Promise<string> => {
    await platform.run("deploy", "moving", "--image", "moving:1");
    return (await platform.ask("moving.default")).body;
  };
  await workshop.publish(platform, "moving", { script: saying("first") });
  expect(await deploy()).toBe("first\n");
  await workshop.publish(platform, "moving", { script: saying("second") });
  expect(await deploy()).toBe("second\n");
  expect(await deploy()).toBe("second\n");
  const { revisions } = JSON.parse(await platform.run("describe", "moving", "-o", "json")) as {
    revisions: readonly unknown[];
  };
  expect(revisions).toHaveLength(2);
});

test("a deployment may ask for native", async ({ skip }) => {
  if (!native) skip("this machine runs no native pods");
  await platform.run("deploy", "both", "--image", "both:1", "--prefer-variant", "native");
  expect((await platform.ask("both.default")).body).toBe("native\n");
  expect(await variantOf("both")).toMatchObject({
    variant: "native",
    reason: expect.stringContaining("as the deployment asks"),
  });
});

test("an image without Wasm runs natively", async ({ skip }) => {
  if (!native) skip("this machine runs no native pods");
  const image = await workshop.publish(platform, "only", { native: nativeScript });
  await platform.run("deploy", "only", "--image", image);
  expect((await platform.ask("only.default")).body).toBe("native\n");
  expect(await variantOf("only")).toMatchObject({
    variant: "native",
    reason: expect.stringContaining("no Wasm variant"),
  });
});

test("a component with an import that nobody has gives way to native", async ({ skip }) => {
  if (!native) skip("this machine runs no native pods");
  const component = await componentThatImports("acme:quantum/entangler@1.0.0");
  const image = await workshop.publish(platform, "unmet", { component, native: nativeScript });
  await platform.run("deploy", "unmet", "--image", image);
  expect((await platform.ask("unmet.default")).body).toBe("native\n");
  const { variant, reason } = await variantOf("unmet");
  expect(variant).toBe("native");
  expect(reason).toMatch(/because .*acme:quantum\/entangler@1\.0\.0, which this node does not provide/);
});

test("each request has a fresh instance: what a module counts is always one", async () => {
  const answers = await Promise.all(Array.from({ length: 20 }, () => behave("/calls")));
  expect(new Set(answers.map(({ body }) => body))).toEqual(new Set(["1"]));
});

test("the environment says which revision it is", async () => {
  expect((await behave("/env?name=K_REVISION")).body).toBe("behave-00001");
  expect((await behave("/env?name=K_SERVICE")).body).toBe("behave");
});

test("forwarded headers are set, and those that a client makes up are not believed", async () => {
  const { body } = await behave("/headers", {
    headers: {
      "x-forwarded-for": "6.6.6.6",
      "x-forwarded-host": "bank.example",
      forwarded: "for=6.6.6.6",
      "x-real-ip": "6.6.6.6",
      "x-request-id": "mine",
      "k-network-probe": "probe",
      "x-mine": "kept",
      te: "trailers",
    },
  });
  const headers = JSON.parse(body) as Record<string, string>;
  expect(headers).toMatchObject({
    "x-forwarded-for": "127.0.0.1",
    "x-forwarded-proto": "http",
    "x-forwarded-host": "behave.default.localhost",
    "x-mine": "kept",
  });
  expect(headers["forwarded"]).toContain("for=127.0.0.1");
  expect(body).not.toMatch(/6\.6\.6\.6|bank\.example|"mine"|k-network-probe|trailers/);
  expect(headers["x-request-id"]).toMatch(/^[0-9a-f-]{36}$/);
});

test("Server-Timing tells the phases to who asks, and of every start from zero", async () => {
  const asked = await behave("/hello", { headers: { "x-shallop-timing": "1" } });
  expect(asked.headers["server-timing"]).toMatch(/queue;dur=[\d.]+.*instantiate;dur=[\d.]+/);
  await platform.run("deploy", "cold", "--image", "who:1");
  await eventually("cold has no pods", async () => ((await platform.podsOf("cold")).length === 0 ? true : undefined));
  const cold = await platform.ask("cold.default");
  expect(cold.status).toBe(200);
  for (const phase of ["queue", "activate", "start", "instantiate", "handle"]) {
    expect(cold.headers["server-timing"]).toMatch(new RegExp(`\\b${phase};dur=[\\d.]+`));
  }
});

test("bodies stream both ways: what goes in comes out before all of it is in", async () => {
  const arrived: string[] = [];
  await new Promise<void>((resolve, reject) => {
    const sent = httpRequest(
      {
        ...{ port: platform.ports.gateway, host: "127.0.0.1", path: "/echo", method: "POST" },
        headers: { host: "behave.default.localhost", "transfer-encoding": "chunked" },
      },
      (response) => {
        response.on("data", (chunk: Buffer) => {
          arrived.push(chunk.toString());
          // The next piece is sent only when the one before has come back.
          if (arrived.length < 4) sent.write(`piece ${arrived.length}\n`);
          else sent.end();
        });
        response.once("end", resolve);
      },
    );
    sent.once("error", reject);
    sent.write("piece 0\n");
  });
  expect(arrived.join("")).toBe("piece 0\npiece 1\npiece 2\npiece 3\n");
});

test("an answer arrives as it is made: it comes to its end because its client has read the beginning", async () => {
  let text = "";
  await new Promise<void>((resolve, reject) => {
    const sent = httpRequest(
      {
        ...{ port: platform.ports.gateway, host: "127.0.0.1", path: "/ticks", method: "POST" },
        headers: { host: "behave.default.localhost", "transfer-encoding": "chunked" },
      },
      (response) => {
        response.on("data", (chunk: Buffer) => {
          text += chunk.toString();
          if (text.includes("tick 3")) sent.end();
        });
        response.once("end", resolve);
      },
    );
    sent.once("error", reject);
    sent.write("go on");
  });
  expect(text).toMatch(/^tick 0\ntick 1\ntick 2\ntick 3\n/);
});

test("a large body is carried whole", async () => {
  const body = "0123456789abcdef".repeat(512 * 1024);
  const answer = await behave("/echo", { method: "POST", body });
  expect(answer.body.length).toBe(body.length);
  expect(answer.body === body).toBe(true);
});

test("what a guest prints is in its log, by shallop and by kubectl", async () => {
  await behave("/log");
  const line = (name: string): RegExp => new RegExp(`said on ${name}`);
  await eventually("the log has both lines", async () => {
    const text = await platform.run("logs", "behave");
    return line("stdout").test(text) && line("stderr").test(text) ? true : undefined;
  });
  const pods = await kubectl(["get", "pods", "-l", "serving.knative.dev/service=behave", "-o", "name"]);
  const { stdout } = await kubectl(["logs", pods.stdout.trim().split("\n")[0] ?? "", "--timestamps"]);
  expect(stdout).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z said on stdout$/m);
});

test("the concurrency limit holds: with one at a time, three requests need three pods or wait", async () => {
  const flags = ["--concurrency", "1", "--max-scale", "1", "--min-scale", "1"];
  await platform.run("deploy", "single", "--image", "behave:1", ...flags);
  const began = performance.now();
  const answers = await Promise.all([1, 2, 3].map(() => platform.ask("single.default", "/wait?ms=400")));
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
  expect(performance.now() - began).toBeGreaterThan(1_150);
  expect((await describeService("single")).pods).toHaveLength(1);
});

test("max-scale is respected under load, and the explanation names it", async () => {
  await platform.run(...["deploy", "bounded", "--image", "behave:1", "--concurrency", "1", "--max-scale", "2"]);
  const caller = callSteadily(platform, "bounded.default", { path: "/wait?ms=100", connections: 8 });
  const counts: number[] = [];
  const look = async (): Promise<true | undefined> => {
    counts.push((await platform.podsOf("bounded")).length);
    return (counts.at(-1) ?? 0) >= 2 ? true : undefined;
  };
  await eventually("bounded has as many pods as it may have", look);
  // And no more than those: the autoscaler decides every two seconds.
  for (let more = 0; more < 12; more++) {
    await new Promise((resolve) => setTimeout(resolve, 300));
    await look();
  }
  const { failed, said } = await caller.stop();
  expect(failed, said).toBe(0);
  expect(Math.max(...counts)).toBe(2);
  expect(await platform.run("explain", "bounded", "--since", "1h")).toMatch(/max-scale 2/);
  const replayed = await platform.run("explain", "bounded", "--what-if", "max-scale=1");
  expect(replayed).toMatch(/what if max-scale=1, on the load of the last \d+s:/);
  expect(replayed).toMatch(/as they are +2 .*\nmax-scale=1 +1 /);
  const { revisions } = JSON.parse(await platform.run("explain", "bounded", "-o", "json")) as {
    revisions: { decisions: { bound?: string; formula: string; inputs: object; want: number }[] }[];
  };
  const bound = revisions[0]?.decisions.find((decision) => decision.bound === "max-scale 2");
  expect(bound).toMatchObject({ want: 2, formula: expect.stringMatching(/ceil\(/) });
  expect(Object.keys(bound?.inputs ?? {})).toContain("stableConcurrency");
});

test("traffic is split by percent, and a tag has a URL of its own", async () => {
  await platform.run("deploy", "split", "--image", "who:1", "--env", "WHO=one", "--min-scale", "1");
  await platform.run("deploy", "split", "--image", "who:1", "--env", "WHO=two", "--min-scale", "1");
  const shares = [
    "--to",
    "split-00001=75",
    "--to",
    "split-00002=25",
    "--tag",
    "split-00001=old",
    "--tag",
    "@latest=next",
  ];
  await platform.run("traffic", "split", ...shares);
  await eventually("the tags answer", async () => {
    const [old, next] = await Promise.all(
      ["old-split.default", "next-split.default"].map((host) => platform.ask(host)),
    );
    return old?.body === "one\n" && next?.body === "two\n" ? true : undefined;
  });
  const counts = { one: 0, two: 0 };
  for (let round = 0; round < 200; round++) {
    counts[(await platform.ask("split.default")).body === "one\n" ? "one" : "two"]++;
  }
  expect(counts.one).toBeGreaterThanOrEqual(146);
  expect(counts.one).toBeLessThanOrEqual(154);
  expect(await platform.run("traffic", "split")).toMatch(
    new RegExp(`split-00001 +75% +old +http://old-split\\.default\\.localhost:${platform.ports.gateway}`),
  );
  const refused = await platform.shallop("traffic", "split", "--to", "split-00003=100");
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('"split-00003" not found') });
  expect(JSON.parse(await platform.run("traffic", "split", "-o", "json"))).toMatchObject([
    { percent: 75 },
    { percent: 25 },
    { tag: "next" },
  ]);
});

test("updates and ways back under mixed load without a failed request: kept connections, HTTP/2, uploads, slow answers", async () => {
  const image = await workshop.publish(platform, "rolling", { script: echoScript });
  await platform.run("deploy", "rolling", "--image", image, "--min-scale", "1");
  const hosts = ["rolling.default.localhost"];
  // Nothing is said of how fast it is: on a machine that others use, that is theirs to say.
  const answerTimeoutMs = 240_000;
  const load = new MixedLoad({
    port: platform.ports.gateway,
    hosts,
    requestsPerSecond: 10,
    slowMs: 2_000,
    seed: 1,
    answerTimeoutMs,
  });
  load.start();
  for (const round of [1, 2]) await updateAndRollBack(platform, { name: "rolling", image }, round);
  const { counts, failures } = await load.stop();
  expect(failures).toEqual([]);
  for (const { sent, answered } of Object.values(counts)) expect(answered).toBe(sent);
  expect(counts.keepAlive.answered).toBeGreaterThan(10);
  expect(counts.http2.answered).toBeGreaterThan(0);
}, 300_000);

test("one service cannot be asked through another's name", async () => {
  const answer = await platform.ask("who.other-namespace");
  expect(answer.status).toBe(404);
});
