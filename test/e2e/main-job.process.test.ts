import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { eventually, Platform } from "../support/platform.ts";

// The main job, end to end, with real processes: source, image, deploy, a request answered from zero, out with load, back
// to zero, two revisions, and nothing left.

const sample = (name: string): string => fileURLToPath(new URL(`../../samples/${name}`, import.meta.url));
let platform: Platform;

beforeAll(async () => {
  // The smallest window that Knative allows, so that a test sees scale to zero in seconds.
  platform = await Platform.start({ autoscaler: ["stable-window=6s", "scale-to-zero-grace-period=6s"] });
});
afterEach(async ({ task }) => {
  if (task.result?.state === "fail") console.log(await platform.logs());
});
afterAll(() => platform[Symbol.asyncDispose]());

const noPods = (service: string): Promise<unknown> =>
  eventually(
    `${service} has no pods`,
    async () => ((await platform.podsOf(service)).length === 0 ? true : undefined),
    120_000,
  );

test("says what is reachable where, and how long it took", async () => {
  expect(platform.output).toMatch(/Shallop is up after \d+\.\d s/);
  expect(platform.output).toContain(`http://NAME.NAMESPACE.localhost:${platform.ports.gateway}`);
  expect(platform.output).toContain("kubeconfig");
});

test("builds, pushes and deploys a function, which answers", async () => {
  await platform.run("build", sample("hello"), "--push");
  expect(await platform.run("deploy", "hello", "--image", "hello:1.0.0")).toContain(
    `http://hello.default.localhost:${platform.ports.gateway}`,
  );
  const answer = await platform.ask("hello.default", "/?name=shallop");
  expect(answer).toMatchObject({ status: 200, body: "hello, shallop\n" });
});

test("goes back to zero, and answers from there", async () => {
  await noPods("hello");
  const answer = await platform.ask("hello.default");
  expect(answer).toMatchObject({ status: 200, body: "hello, world\n" });
  expect(answer.headers["server-timing"]).toMatch(/activate/);
  const explained = JSON.parse(await platform.run("explain", "hello", "-o", "json")) as {
    revisions: { decisions: { want: number }[] }[];
  };
  expect(explained.revisions[0]?.decisions.map(({ want }) => want)).toContain(0);
}, 240_000);

test("answers a thousand requests at once from zero, all of them", async () => {
  await noPods("hello");
  const answers = await Promise.all(Array.from({ length: 1_000 }, () => platform.ask("hello.default")));
  expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
}, 240_000);

test("splits traffic over two revisions, and gives one an address of its own", async () => {
  const said = await platform.run("deploy", "hello", "--image", "hello:1.0.0", "--env", "ROUND=2");
  expect(said).toContain("hello asks for what hello-00001 does not\n  + variable ROUND\n");
  await platform.run(
    "traffic",
    "hello",
    "--to",
    "hello-00001=50",
    "--to",
    "hello-00002=50",
    "--tag",
    "hello-00001=old",
  );
  const tagged = await eventually("the tag answers", async () => {
    const answer = await platform.ask("old-hello.default");
    return answer.status === 200 ? answer : undefined;
  });
  expect(tagged.body).toBe("hello, world\n");
});

test("leaves nothing when it is deleted", async () => {
  await platform.run("delete", "hello");
  expect((await platform.ask("hello.default")).status).toBe(404);
  const { stdout } = await platform.shallop("list");
  expect(stdout).toContain("no services");
});
