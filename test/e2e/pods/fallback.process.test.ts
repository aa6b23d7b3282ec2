import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { hungryComponent, trappingStartComponent } from "../../../runtime/host/testing/components.ts";
import { type Kubectl, needKubectl } from "../../support/kubectl.ts";
import { Platform } from "../../support/platform.ts";
import { Workshop } from "../../support/workshop.ts";

// What becomes of a request when a component does not come up, and what is said of images that may not run.

let platform: Platform;
let workshop: Workshop;
let kubectl: Kubectl;

beforeAll(async () => {
  [workshop, platform] = await Promise.all([Workshop.open(), Platform.start()]);
  kubectl = await needKubectl(platform.kubeconfig);
});
afterEach(async ({ task }) => {
  if (task.result?.state === "fail") console.log(await platform?.logs());
});
afterAll(async () => {
  await kubectl?.[Symbol.asyncDispose]();
  await platform?.[Symbol.asyncDispose]();
  await workshop?.[Symbol.asyncDispose]();
});

const native = "export default { fetch: () => new Response('native\\n') };";

test.each([
  { name: "hungry", what: "needs more memory than its pod has", make: () => hungryComponent(512 << 20) },
  { name: "trapping", what: "traps at its start", make: trappingStartComponent },
])("a component that $what gives way to the native variant while the request waits", async ({ name, make }) => {
  await workshop.publish(platform, name, { component: await make(), native });
  await platform.run("deploy", name, "--image", `${name}:1`, "--memory", "256Mi");
  const answer = await platform.ask(`${name}.default`);
  expect([answer.status, answer.body]).toEqual([200, "native\n"]);
  const text = await platform.run("explain", name);
  expect(text).toMatch(/native.*did not come up here 3 times/);
  expect(await platform.run("describe", name)).toMatch(/VariantFellBack/);
});

test("a refusal by an image policy is told by explain", async () => {
  await workshop.publish(platform, "banned", { native });
  const policy = {
    ...{ apiVersion: "shallop.dev/v1", kind: "ImagePolicy", metadata: { name: "no-natives" } },
    spec: { images: ["**/banned"], wasmOnly: true, message: "only components here" },
  };
  const applied = await kubectl(["apply", "-f", "-"], JSON.stringify(policy));
  expect(applied.stderr).toBe("");
  await platform.shallop("deploy", "banned", "--image", "banned:1", "--timeout", "10s");
  const text = await platform.run("explain", "banned");
  expect(text).toMatch(/refused.*ImagePolicyViolation.*only components here/);
});
