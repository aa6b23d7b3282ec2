import { Duplex } from "node:stream";
import { WebSocket } from "ws";
import type { Credentials } from "./credentials.ts";
import { segment } from "./paths.ts";

const protocol = "v4.channel.k8s.io";
/** Of each port: its data and its errors; and each begins with a message that only repeats the port. */
const channel = { data: 0, error: 1 } as const;
const portBytes = 2;
// What may lie here on its way out; the writer waits meanwhile.
const unsentBytesMax = 1 << 20;

/**
 * A connection to a port of a pod, through the API server and the pod's node, as `kubectl port-forward` makes them. Errors of it
 * are those of a stream.
 */
export function forwardPort(
  credentials: Credentials,
  to: { readonly namespace: string; readonly pod: string; readonly port: number },
): Duplex {
  const path = `/api/v1/namespaces/${segment(to.namespace, "namespace")}/pods/${segment(to.pod, "pod")}/portforward`;
  const url = new URL(path, credentials.server.replace(/^http/, "ws"));
  url.searchParams.set("ports", String(to.port));
  const webSocket = new WebSocket(url, [protocol], {
    perMessageDeflate: false,
    ...(credentials.token === undefined ? {} : { headers: { authorization: `Bearer ${credentials.token}` } }),
    ...(credentials.authority === undefined ? {} : { ca: credentials.authority }),
    ...(credentials.certificate === undefined ? {} : { cert: credentials.certificate, key: credentials.key }),
  });
  const isOpen = new Promise<void>((resolve, reject) => {
    webSocket.once("open", () => resolve());
    webSocket.once("error", reject);
  });
  isOpen.catch(() => undefined);
  /** Resolves when there is room for more. Errors are those of the connection, told where it ends. */
  const send = (message: Buffer): Promise<void> =>
    new Promise((resolve) => {
      webSocket.send(message, () => resolve());
      if (webSocket.bufferedAmount <= unsentBytesMax) resolve();
    });
  const duplex = new Duplex({
    allowHalfOpen: true,
    read: () => webSocket.resume(),
    write: (chunk: Uint8Array, _, done) => {
      const sent = isOpen.then(() => send(Buffer.concat([Buffer.of(channel.data), chunk])));
      void sent.catch(() => undefined).finally(() => done());
    },
    // This protocol has no end of one direction: the pod's answer is waited for, and its end closes both.
    final: (done) => done(),
    destroy: (error, done) => {
      webSocket.terminate();
      done(error);
    },
  });
  const begun = new Set<number>();
  webSocket.on("message", (message: Buffer) => {
    const to = message[0] ?? -1;
    const isFirst = !begun.has(to) && message.length === 1 + portBytes;
    begun.add(to);
    if (isFirst) return;
    if (to === channel.error) duplex.destroy(new Error(message.subarray(1).toString("utf8").slice(0, 500)));
    else if (!duplex.push(message.subarray(1))) webSocket.pause();
  });
  webSocket.once("error", (error) => duplex.destroy(error));
  webSocket.once("close", () => void duplex.push(null));
  return duplex;
}
