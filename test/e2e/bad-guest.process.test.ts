import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { behavioursScript } from "../support/behaviours.ts";
import { trappingComponent } from "../../runtime/host/testing/components.ts";
import { type Answer, eventually, Platform } from "../support/platform.ts";
import { exchangeRaw } from "../support/raw-http.ts";
import { Workshop } from "../support/workshop.ts";
import { besideBystander, deployBystander } from "./bystander.ts";

// Functions that do harm while they run: each request of theirs ends with a status and a code, and nobody else notices.

let platform: Platform;
let workshop: Workshop;

beforeAll(async () => {
  workshop = await Workshop.open();
  platform = await Platform.start();
  await deployBystander(platform, workshop);
  const image = await workshop.publish(platform, "hostile", { script: behavioursScript });
  await platform.run(
    ...["deploy", "hostile", "--image", image, "--timeout", "2s", "--memory", "128Mi", "--min-scale", "1"],
  );
});
afterEach(async ({ task }) => {
  if (task.result?.state === "fail") console.log(await platform?.logs());
});
afterAll(async () => {
  await platform?.[Symbol.asyncDispose]();
  await workshop?.[Symbol.asyncDispose]();
});

const hostile = (path: string): Promise<Answer> =>
  besideBystander(platform, () => platform.ask("hostile.default", path));

/** What the one who called is told: the code, a sentence, and the request's id, which the log has too. */
function expectFault(answer: Answer, status: number, code: string): void {
  expect(answer.body).toMatch(new RegExp(`^${code}: [A-Z].*\\.\\nrequest id: \\S+\\n$`));
  expect(answer.status).toBe(status);
  expect(answer.body).toContain(String(answer.headers["x-request-id"]));
}

const logText = (service: string): Promise<string> => platform.run("logs", service, "--tail", "200");

test.each([
  ["throws", "/throw", "thrown on purpose"],
  ["rejects", "/reject", "rejected on purpose"],
  ["returns nothing", "/nothing", "Response"],
])("a function that %s: 502, and its log says why", async (_what, path, why) => {
  expectFault(await hostile(path), 502, "GUEST_FAILED");
  await eventually(`the log says ${why}`, async () => ((await logText("hostile")).includes(why) ? true : undefined));
});

test("a function that recurses without end: 502", async () => {
  expectFault(await hostile("/recurse"), 502, "GUEST_FAILED");
});

test("a function whose promise nothing can settle any more: 502, without waiting", async () => {
  const answer = await hostile("/never");
  expectFault(answer, 502, "GUEST_FAILED");
  expect(answer.ms).toBeLessThan(1_900);
});

test.each([
  ["waits for an hour", "/sleep"],
  ["spins", "/spin"],
])("a function that %s: 504 at its time limit", async (_what, path) => {
  const answer = await hostile(path);
  expect(answer.body).toMatch(/^(GUEST|ANSWER)_TIMEOUT: /);
  expect(answer.status).toBe(504);
  expect(answer.ms).toBeGreaterThan(1_500);
  expect(answer.ms).toBeLessThan(6_000);
});

test("a function that eats memory: 507", async () => {
  expectFault(await hostile("/eat"), 507, "GUEST_MEMORY");
});

test("a function that floods the log is answered or stopped, and its log stays bounded", async () => {
  const floods = await besideBystander(platform, () =>
    Promise.all([1, 2, 3].map(() => platform.ask("hostile.default", "/flood"))),
  );
  // 503: the others held the pod for all of its time.
  for (const { status } of floods) expect([200, 502, 503, 504]).toContain(status);
  // They write what they can. Two files of 10 MB are kept of it.
  const text = await platform.run("logs", "hostile");
  expect(text.length).toBeGreaterThan(1024 * 1024);
  expect(text.length).toBeLessThan(24 * 1024 * 1024);
});

test("after all that, the same function answers again", async () => {
  const answer = await eventually("hostile answers", async () => {
    const next = await platform.ask("hostile.default", "/hello");
    return next.status === 200 ? next : undefined;
  });
  expect(answer.body).toBe("hello\n");
});

test("a component that traps: 502", async () => {
  const image = await workshop.publish(platform, "trap", { component: await trappingComponent() });
  await platform.run("deploy", "trap", "--image", image);
  const answer = await besideBystander(platform, () => platform.ask("trap.default"));
  expectFault(answer, 502, "GUEST_FAILED");
  const id = String(answer.headers["x-request-id"]);
  const story = await eventually("the story of the request is told", async () => {
    const { code, stdout } = await platform.shallop("why", id);
    return code === 0 ? stdout : undefined;
  });
  expect(story).toMatch(/GET http:\/\/trap\.default\.localhost\/ from 127\.0\.0\.1/);
  expect(story).toMatch(/it was answered 502: GUEST_FAILED, /);
  expect(story).toMatch(/trap-00001-\S+ +node-a +GUEST_FAILED/);
});

const patientLogs = (words: string): Promise<true> =>
  eventually(`the log says: ${words}`, async () => ((await logText("patient")).includes(words) ? true : undefined));

test("a function that spins for a client that has left is stopped, long before its time limit", async () => {
  const image = await workshop.publish(platform, "patient", { script: behavioursScript });
  await platform.run("deploy", "patient", "--image", image, "--timeout", "300s", "--min-scale", "1");
  expect((await platform.ask("patient.default", "/hello")).status).toBe(200);
  await besideBystander(platform, () =>
    exchangeRaw({
      port: platform.ports.gateway,
      pieces: ["GET /log-and-spin HTTP/1.1\r\nhost: patient.default.localhost\r\n\r\n"],
      leaveWhen: patientLogs("about to spin"),
      timeoutMs: 120_000,
    }),
  );
  const answer = await platform.ask("patient.default", "/hello");
  expect(answer.status).toBe(200);
  expect(answer.ms).toBeLessThan(100_000);
  await patientLogs("whose client has gone");
});

test("many at once: each gets its own end, and nobody else any of it", async () => {
  const paths = ["/throw", "/eat", "/never", "/spin", "/recurse", "/nothing", "/eat", "/throw"];
  const answers = await besideBystander(platform, () =>
    Promise.all(paths.map((path) => platform.ask("hostile.default", path))),
  );
  for (const answer of answers) expect([502, 503, 504, 507]).toContain(answer.status);
  await eventually("hostile answers", async () =>
    (await platform.ask("hostile.default", "/hello")).status === 200 ? true : undefined,
  );
});
