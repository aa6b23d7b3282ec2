import { annotation, type Container, type ImagePolicy, imagePolicies, revisions, services } from "@shallop/sdk/api";
import { expect, test } from "vitest";
import { digest, World } from "../control-plane.fake.ts";

async function conditionOf(world: World, name: string) {
  const revision = await world.client.get(revisions, "default", name).catch(() => undefined);
  return revision?.status?.conditions?.find(({ type }) => type === "ContainerHealthy");
}

const policyOf = (name: string, spec: Partial<ImagePolicy["spec"]>) =>
  ({
    apiVersion: "shallop.dev/v1",
    kind: "ImagePolicy",
    metadata: { name },
    spec: { images: ["**"], ...spec },
  }) as const;

const key =
  "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAhSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=\n-----END PUBLIC KEY-----";

test("what nobody has signed gets no digest and no pod, and the reason is said; without the policy it runs", async () => {
  await using world = await World.start(["a"]);
  await world.client.create(imagePolicies, policyOf("signed", { keys: [{ name: "release", key }] }));
  await world.deploy("hello", "hello:1");
  await world.until("it is refused", async () => (await conditionOf(world, "hello-00001"))?.status === "False");
  expect(await conditionOf(world, "hello-00001")).toMatchObject({
    reason: "ImagePolicyViolation",
    message: expect.stringMatching(
      /^image policy signed refuses .* has no signature; it must be signed by release$/,
    ) as string,
  });
  const { status } = await world.client.get(revisions, "default", "hello-00001");
  expect(status?.containerStatuses).toBeUndefined();
  expect(await world.podsOf("hello-00001")).toEqual([]);
  expect(await world.reasons()).toContain("ImagePolicyViolation");
  await world.client.delete(imagePolicies, { name: "signed" });
  await world.ready("hello");
});

test("a policy for others refuses nothing; one whose facts cannot be had refuses", async () => {
  await using world = await World.start(["a"]);
  await world.client.create(imagePolicies, policyOf("others", { images: ["docker.io/**"], deny: true }));
  await world.deploy("hello", "hello:1");
  await world.ready("hello");
  world.knowledge.evidence = () => Promise.reject(new Error("the registry is away"));
  await world.client.create(imagePolicies, policyOf("signed", { keys: [{ key }] }));
  await world.deploy("second", "hello:2");
  await world.until("it is refused", async () => (await conditionOf(world, "second-00001"))?.status === "False");
  expect((await conditionOf(world, "second-00001"))?.message).toContain("the registry is away");
});

test("a component that asks for more waits until somebody approves; one that asks for less does not", async () => {
  await using world = await World.start(["a"]);
  await world.client.create(imagePolicies, policyOf("careful", { approveCapabilities: true }));
  world.knowledge.demandsOf.set(digest, { imports: ["wasi:http/types@0.2.0"] });
  await world.deploy("hello", "hello:1");
  await world.ready("hello");
  const next = `sha256:${"b".repeat(64)}`;
  world.images.resolve = (image) => Promise.resolve(`127.0.0.1:5000/hello@${image === "hello:1" ? digest : next}`);
  world.knowledge.demandsOf.set(next, { imports: ["wasi:http/types@0.2.6", "wasi:random/random@0.2.6"] });
  const service = await world.service("hello");
  const template = { ...service.spec.template, spec: { containers: [{ image: "hello:2" }] } };
  await world.client.update(services, { ...service, spec: { ...service.spec, template } });
  await world.until("it waits", async () => (await conditionOf(world, "hello-00002"))?.reason === "ApprovalRequired");
  expect((await conditionOf(world, "hello-00002"))?.message).toContain(
    "asks for what the running one does not: wasi:random/random;",
  );
  expect(await world.reasons()).toContain("ApprovalRequired");
  const revision = await world.client.get(revisions, "default", "hello-00002");
  const wrong = { ...revision.metadata.annotations, [annotation.approvedImage]: digest };
  const patched = await world.client.update(revisions, {
    ...revision,
    metadata: { ...revision.metadata, annotations: wrong },
  });
  await world.pass(2_000);
  expect((await conditionOf(world, "hello-00002"))?.reason).toBe("ApprovalRequired");
  const approved = { ...wrong, [annotation.approvedImage]: next };
  const current = await world.client.get(revisions, "default", patched.metadata.name);
  await world.client.update(revisions, { ...current, metadata: { ...current.metadata, annotations: approved } });
  await world.until("it is ready", async () => (await conditionOf(world, "hello-00002"))?.status === "True");
});

test("a container waits for its approval too, and the same image with more of a machine; not with another value", async () => {
  await using world = await World.start(["a"]);
  await world.client.create(imagePolicies, policyOf("careful", { approveCapabilities: true }));
  world.knowledge.demandsOf.set(digest, { kinds: ["native"], users: ["65532"] });
  const env = (value: string) => [{ name: "LEVEL", value }];
  const template = (container: Partial<Container>) => ({
    spec: { containers: [{ image: "hello:1", ...container }] },
  });
  const rolled = async (container: Partial<Container>): Promise<void> => {
    const { status: _, ...service } = await world.service("hello");
    await world.client.update(services, { ...service, spec: { template: template(container) } });
  };
  await world.deploy("hello", "hello:1");
  await world.ready("hello");
  const securityContext = { capabilities: { add: ["CHOWN"] } };
  await rolled({ env: env("1"), securityContext });
  await world.until("it waits", async () => (await conditionOf(world, "hello-00002"))?.reason === "ApprovalRequired");
  expect((await conditionOf(world, "hello-00002"))?.message).toContain(
    "asks for what the running one does not: native: capability CHOWN, variable LEVEL; image policy careful",
  );
  const revision = await world.client.get(revisions, "default", "hello-00002");
  const annotations = { ...revision.metadata.annotations, [annotation.approvedImage]: digest };
  await world.client.update(revisions, { ...revision, metadata: { ...revision.metadata, annotations } });
  await world.ready("hello");
  await rolled({ env: env("2"), securityContext });
  await world.ready("hello");
  expect((await world.service("hello")).status?.latestReadyRevisionName).toBe("hello-00003");
});

test("who deploys does not approve: the template has no place for it", async () => {
  await using world = await World.start(["a"]);
  const deploying = world.deploy("hello", "hello:1", { [annotation.approvedImage]: digest });
  await expect(deploying).rejects.toMatchObject({
    code: "Invalid",
    message: expect.stringContaining("whoever approves"),
  });
});
