import { readFile } from "node:fs/promises";
import { availableParallelism, arch, hostname, machine, release, totalmem, type as osType } from "node:os";
import type { NodeRoom } from "./node-pods.ts";

/** What this machine is, as a node tells it. */
export interface MachineFacts {
  readonly hostname: string;
  readonly os: string;
  readonly architecture: string;
  readonly cpuCount: number;
  readonly memoryBytes: number;
  readonly room: NodeRoom;
  readonly nodeInfo: Readonly<Record<string, string>>;
}

// More than Kubernetes' 110, because a Wasm pod is a thread, not a container; few enough that the agent's lists and the
// machine's threads stay small. A node with less memory stops at its memory.
const podsMax = 250;
// For the system and Shallop's own processes: a tenth, and at least 256 MiB.
const reservedMemoryPart = 0.1;
const reservedMemoryBytesMin = 256 * 1024 * 1024;

/** Looks at the machine, once. A memory limit on this process counts as the machine's memory. */
export async function machineFacts(): Promise<MachineFacts> {
  const constrained = process.constrainedMemory();
  const memoryBytes = constrained > 0 ? Math.min(totalmem(), constrained) : totalmem();
  const reserved = Math.max(reservedMemoryBytesMin, memoryBytes * reservedMemoryPart);
  const [osImage, bootId] = await Promise.all([osName(), text("/proc/sys/kernel/random/boot_id")]);
  return {
    hostname: hostname(),
    os: process.platform,
    architecture: architectures[arch()] ?? arch(),
    cpuCount: availableParallelism(),
    memoryBytes,
    room: { podsMax, memoryBytes: Math.max(0, memoryBytes - reserved) },
    nodeInfo: {
      architecture: architectures[arch()] ?? arch(),
      operatingSystem: process.platform,
      kernelVersion: release(),
      osImage,
      bootID: bootId,
      machineID: await text("/etc/machine-id"),
      systemUUID: "",
      containerRuntimeVersion: `shallop://0.1.0`,
      kubeletVersion: "v1.33.0-shallop",
      kubeProxyVersion: "",
    },
  };
}

/** Go's names for what Node calls otherwise. */
const architectures: Readonly<Record<string, string>> = { x64: "amd64", ia32: "386", ppc64: "ppc64le" };

const text = (file: string): Promise<string> =>
  readFile(file, "utf8").then(
    (content) => content.trim(),
    () => "",
  );

async function osName(): Promise<string> {
  const pretty = /^PRETTY_NAME="?([^"\n]+)/m.exec(await text("/etc/os-release"))?.[1];
  return pretty ?? `${osType()} ${machine()}`;
}
