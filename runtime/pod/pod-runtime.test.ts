import { randomUUID } from "node:crypto";
import { guestLimitDefaults } from "@shallop/sdk/internal";
import { FakeRuntime } from "./pod-runtime.fake.ts";
import { podRuntimeContract } from "./pod-runtime.contract.ts";

podRuntimeContract("fake", async (observer) => {
  const runtime = new FakeRuntime("wasm", observer);
  return {
    runtime,
    launch: () => ({
      namespace: "default",
      name: "hello",
      uid: randomUUID(),
      image: { variant: "wasm", digest: "sha256:1", componentDigest: "sha256:2", componentPath: "/c", sizeBytes: 1 },
      env: [],
      port: 8080,
      limits: {
        ...guestLimitDefaults,
        memoryBytes: 1,
        cpu: 1,
        pidsMax: 1,
        requestTimeoutMs: 1,
        concurrencyMax: 0,
        startTimeoutMs: 1,
      },
    }),
    kill: async (uid) => runtime.die(uid),
    [Symbol.asyncDispose]: async () => undefined,
  };
});
