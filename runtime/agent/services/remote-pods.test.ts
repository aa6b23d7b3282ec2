import { once } from "node:events";
import { createServer } from "node:net";
import { text } from "node:stream/consumers";
import { silentLog } from "@shallop/sdk/internal";
import { expect, test } from "vitest";
import { AgentServer } from "../agent-server.ts";
import { FakeAuthority } from "../api-server.fake.ts";
import { requestCertificate } from "../certificate-request.ts";
import { nodeMetrics } from "../node-metrics.ts";
import { FakeWorld } from "../world.fake.ts";
import { RemotePods } from "./remote-pods.ts";

/** A node with a native pod that says hello, and what another member of the cluster shows it. */
async function node(world: FakeWorld) {
  const pod = createServer({ allowHalfOpen: true }, (socket) => socket.end("hello")).listen(0, "127.0.0.1");
  await once(pod, "listening");
  const address = pod.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  world.endpointOf = () => ({ protocol: "http1", host: "127.0.0.1", port: 1 });
  world.revision();
  await world.start();
  await world.until(() => world.agent.homes.all[0]?.preparation.phase === "prepared");
  const { podUid } = await world.agent.activator.activate({ namespace: "default", revision: "hello-00001" });
  const root = await FakeAuthority.create();
  const issue = async (organisation: string) => {
    const { key, request } = requestCertificate("n1", ["127.0.0.1", "localhost"]);
    return { key, certificate: await root.sign(request, organisation), authority: root.pem };
  };
  const server = new AgentServer({
    ...{ clock: world.clock, log: silentLog, pods: world.agent.pods, logs: world.logs },
    usage: () => Promise.reject(new Error("not measured here")),
    activate: (request) => world.agent.activator.activate(request),
    metrics: nodeMetrics({ pods: world.agent.pods, runtimes: [] }),
  });
  const agentPort = await server.listenPort("127.0.0.1", 0, await issue("system:nodes"));
  return {
    ...{ uid: podUid, port, agent: `127.0.0.1:${String(agentPort)}`, issue },
    [Symbol.asyncDispose]: async () => {
      await server.close();
      pod.close();
    },
  };
}

test("a port of another node's pod is reached through the agent there, by a certificate of a node", async () => {
  await using world = await FakeWorld.open();
  await using far = await node(world);
  const identity = await far.issue("system:nodes");
  using pods = new RemotePods(
    () => identity,
    (name) => (name === "far" ? far.agent : undefined),
  );
  const { uid, port } = far;
  const connection = await pods.dial({ node: "far", uid, port });
  connection.end();
  expect(await text(connection)).toBe("hello");
  for (const other of [
    { node: "far", uid, port: 1 },
    { node: "far", uid: "none", port },
    { node: "gone", uid, port },
  ]) {
    await expect(pods.dial(other)).rejects.toMatchObject({ code: "POD_UNREACHABLE" });
  }
});

test("nobody else's certificate opens a port", async () => {
  await using world = await FakeWorld.open();
  await using far = await node(world);
  const identity = await far.issue("somebody");
  using pods = new RemotePods(
    () => identity,
    () => far.agent,
  );
  await expect(pods.dial({ node: "far", uid: far.uid, port: far.port })).rejects.toThrow(/403/);
});
