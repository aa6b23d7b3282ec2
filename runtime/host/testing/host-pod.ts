import { guestLimitDefaults } from "@shallop/sdk/internal";
import type { HostPod } from "../control-protocol.ts";

/** A pod of this program, with small limits and nothing of its own. */
export const hostPod = (program: string, change: Partial<HostPod> = {}): HostPod => ({
  uid: `uid-${program}`,
  namespace: "default",
  name: program,
  env: [],
  limits: {
    ...guestLimitDefaults,
    memoryBytes: 2 ** 24,
    cpu: 1,
    pidsMax: 0,
    requestTimeoutMs: 1000,
    concurrencyMax: 0,
    startTimeoutMs: 1000,
  },
  componentDigest: `sha256:${program}`,
  egressAllowed: [],
  preparedDir: `/${program}`,
  socketPath: "/s",
  egressSocket: "/e",
  directories: [],
  ...change,
});
