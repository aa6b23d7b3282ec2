import { createSocket } from "node:dgram";
import { once } from "node:events";
import { silentLog, systemClock } from "@shallop/sdk/internal";
import { expect, test } from "vitest";
import type { DockerContainer } from "./containers.ts";
import { PortProxies } from "./port-proxies.ts";

const here = "127.0.0.1";

/** A container that publishes ports, with a pod at this machine's own address. */
const publishing = (bindings: Readonly<Record<string, readonly { HostIp: string; HostPort: string }[]>>) =>
  ({
    record: { id: "a", hostPorts: {}, body: { Image: "i", HostConfig: { PortBindings: bindings } } },
    pod: { metadata: { name: "a" }, spec: { containers: [] }, status: { podIP: here } },
  }) as unknown as DockerContainer;

const proxies = () => {
  const credentials = { server: "https://127.0.0.1:1", token: "t", certificateAuthority: "" };
  return new PortProxies({ credentials, clock: systemClock, log: silentLog });
};

test("a published UDP port leads to the pod's, and answers come back", async () => {
  const pod = createSocket("udp4");
  pod.on("message", (message, from) => pod.send(`got ${String(message)}`, from.port, from.address));
  pod.bind(0, here);
  await once(pod, "listening");
  const key = `${String(pod.address().port)}/udp`;
  const container = publishing({ [key]: [{ HostIp: here, HostPort: "0" }] });
  const ports = proxies();
  const given = await ports.open(container);
  const client = createSocket("udp4");
  const answer = once(client, "message");
  client.send("hello", given[key]?.[0]?.hostPort ?? 0, here);
  expect(String((await answer)[0])).toBe("got hello");

  ports.close(container);
  for (const socket of [client, pod]) socket.close();
});

test("a UDP port that another one has is told as Docker tells it; SCTP is not published", async () => {
  const other = createSocket("udp4");
  other.bind(0, here);
  await once(other, "listening");
  const HostPort = String(other.address().port);
  await expect(proxies().open(publishing({ "53/udp": [{ HostIp: here, HostPort }] }))).rejects.toMatchObject({
    ...{ code: "CONFLICT", message: `Bind for ${here}:${HostPort} failed: port is already allocated` },
  });
  await expect(proxies().open(publishing({ "53/sctp": [{ HostIp: here, HostPort: "0" }] }))).rejects.toMatchObject({
    code: "UNSUPPORTED",
  });
  other.close();
});
