import { stat } from "node:fs/promises";
import { DockerFault } from "../http/docker-fault.ts";
import type { ContainerRequest } from "./create-body.ts";
import { signalNumber } from "./local-process.ts";
import type { Machine } from "./pod-spec.ts";

/** As Docker: what a runtime's own start takes. */
const memoryBytesMin = 6 << 20;

/** What no container can be, on this machine, is said when it is made. @throws DockerFault BAD_REQUEST */
export async function checkRequest(request: ContainerRequest, { cpus }: Pick<Machine, "cpus">): Promise<void> {
  const { memoryBytes, workingDir, stopSignal, mounts } = request;
  if (memoryBytes > 0 && memoryBytes < memoryBytesMin) throw bad("Minimum memory limit allowed is 6MB");
  if (request.cpus > cpus) {
    throw bad(`range of CPUs is from 0.01 to ${cpus.toFixed(2)}, as there are only ${String(cpus)} CPUs available`);
  }
  if (workingDir !== "" && !workingDir.startsWith("/"))
    throw bad(`the working directory '${workingDir.slice(0, 100)}' is invalid, it needs to be an absolute path`);
  if (stopSignal !== "") signalNumber(stopSignal);
  const targets = mounts.map(({ target }) => target);
  const twice = targets.find((target, index) => targets.indexOf(target) !== index);
  if (twice !== undefined) throw bad(`Duplicate mount point: ${twice}`);
  for (const { type, source, create } of mounts) {
    if (type !== "bind" || create) continue;
    await stat(source).catch(() => {
      throw bad(`invalid mount config for type "bind": bind source path does not exist: ${source}`);
    });
  }
}

const bad = (message: string): DockerFault => new DockerFault("BAD_REQUEST", message);
