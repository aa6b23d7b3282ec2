// The thread that serves: an HTTP server and the engine. Wiring only.
import { parentPort, workerData } from "node:worker_threads";
import { assert, describeError, errorCode, systemClock } from "@shallop/sdk/internal";
import { componentEngine } from "../component/component-engine.ts";
import { artifactOf } from "../component/prepared-files.ts";
import { LogRelay } from "../host/log-relay.ts";
import { allowListEgress } from "./host-egress.ts";
import { HttpFront } from "./http-front.ts";
import type { ServeData, ServeEvent } from "./serve-protocol.ts";

const port = parentPort;
assert(port !== null, "serve-thread-main.ts runs in a worker thread");
const { flags, program, hosts, socket, slots, answers } = workerData as ServeData;
const send = (event: ServeEvent): void => port.postMessage(event);
const relay = new LogRelay({
  clock: systemClock,
  send: (lines) => {
    for (const { stream, text, partial } of lines) process[stream].write(partial ? text : `${text}\n`);
  },
});

try {
  const egress = allowListEgress(hosts);
  const component = componentEngine.load(artifactOf(program.files, program.modules));
  const front = new HttpFront({ flags, component, egress, relay, clock: systemClock, slots, answers });
  port.once("message", () => {
    void front.close().then(async () => {
      await egress.close();
      relay.flush();
      port.close();
    });
  });
  send({ type: "listening", port: await front.listen(socket) });
} catch (error) {
  send({ type: "failed", code: errorCode(error), message: describeError(error) });
  port.close();
}
