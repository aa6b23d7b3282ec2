// The builder: a process that builds images from Dockerfiles for the command line, and ends. It gets its orders and says
// what happens over the channel of a child process.

import { describeError, errorCode, stopSignal, systemClock, systemRandom } from "@shallop/sdk/internal";
import type { BuilderMessage, BuilderRequest } from "@shallop/sdk/wire";
import { build } from "./builder.ts";

const signal = stopSignal();
const tell = (message: BuilderMessage): void => {
  process.send?.(message);
};

process.once("message", (request: BuilderRequest) => {
  void build(request, {
    ...{ clock: systemClock, random: systemRandom, signal },
    emit: (event) => tell({ kind: "event", event }),
  })
    .then(
      (variants) => tell({ kind: "built", variants }),
      (error: unknown) => tell({ kind: "failed", code: errorCode(error), message: describeError(error) }),
    )
    .finally(() => process.disconnect?.());
});
