import { FakeCluster, fakePod } from "../../gateway/gateway.fake.ts";

// The gateway alone, in a process of its own: `node --expose-gc idle-gateway.ts SOCKET CONNECTIONS`, with a pod at SOCKET. It says its
// port, and collects its garbage when it is asked to.
const [socket = "", count = "0"] = process.argv.slice(2);
const connectionsMax = Number(count) * 2;
const cluster = await FakeCluster.start({
  connectionsMax,
  webSocketsPerServiceMax: connectionsMax,
  webSocketsPerTenantMax: connectionsMax,
});
cluster.service("idle");
const endpoint = { protocol: "wire", socket } as const;
cluster.gateway.cluster.set("pods", fakePod("idle-00001-a", "idle-00001", { endpoint }));
process.on("message", () => {
  globalThis.gc?.();
  const { connections, webSockets } = cluster.gateway.status();
  process.send?.({ connections, webSockets, heapBytes: process.memoryUsage().heapUsed });
});
process.send?.(cluster.port);
