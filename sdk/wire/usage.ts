/** What a node and its pods use, as its agent answers it at `GET /v1/usage`. Rates are over `windowMs` before `at`. */
export interface NodeUsage {
  /** RFC 3339. */
  readonly at: string;
  readonly windowMs: number;
  readonly cpuNanoCores: number;
  /** Of all processors together, since the machine's start. */
  readonly cpuNs: number;
  readonly memoryBytes: number;
  /** That the machine has. */
  readonly memoryBytesTotal: number;
  /** Those that run. A Wasm pod has no network of its own, and no processes: its thread counts as one. */
  readonly pods: readonly PodUsage[];
}

export interface PodUsage {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** Of the pod's link, since its start. */
  readonly network: { readonly receivedBytes: number; readonly sentBytes: number };
  readonly containers: readonly ContainerUsage[];
}

export interface ContainerUsage {
  readonly name: string;
  /** RFC 3339: when its current run began. Absent: it is not known. */
  readonly startedAt?: string;
  readonly cpuNanoCores: number;
  /** Since its start. */
  readonly cpuNs: number;
  /** Without what the kernel could drop at once. */
  readonly memoryBytes: number;
  readonly processes: number;
  /** Since its start. */
  readonly readBytes: number;
  readonly writtenBytes: number;
}
