// The process `docker`: the Docker Engine API on a unix socket, in front of the platform of this machine.

import path from "node:path";
import { parseArgs } from "node:util";
import { aborted, announceReady, jsonLog, stopSignal, systemClock, systemRandom } from "@shallop/sdk/internal";
import { startEngine } from "./docker-engine.ts";

const { values } = parseArgs({
  options: {
    data: { type: "string" },
    credentials: { type: "string" },
    socket: { type: "string" },
    node: { type: "string" },
    "builtin-registry": { type: "string" },
    "registry-secret": { type: "string" },
  },
});

// A socket may be opened by who may write to it: at first nobody else.
process.umask(0o022);
const log = jsonLog("docker", (line) => process.stderr.write(line));
const signal = stopSignal();

try {
  const { data, credentials, socket, node, "builtin-registry": builtinRegistry } = values;
  if (data === undefined || credentials === undefined || node === undefined || builtinRegistry === undefined) {
    throw new Error("--data DIR, --credentials FILE, --node NAME and --builtin-registry HOST:PORT are needed");
  }
  const dataDirectory = path.resolve(data);
  const socketPath = path.resolve(socket ?? path.join(dataDirectory, "docker.sock"));
  await using _engine = await startEngine({
    ...{ dataDirectory, socketPath, builtinRegistry, log, signal },
    credentialsFile: path.resolve(credentials),
    nodeName: node,
    environment: process.env,
    clock: systemClock,
    random: systemRandom,
    ...(values["registry-secret"] === undefined ? {} : { registrySecretFile: values["registry-secret"] }),
  });
  announceReady({ docker: `unix://${socketPath}` });
  log.info("the Docker API is served", { socket: socketPath });
  await aborted(signal);
} catch (error) {
  if (!signal.aborted) {
    log.error("the Docker API cannot be served", error);
    process.exit(1);
  }
}
process.exit(0);
