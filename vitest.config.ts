import { defineConfig } from "vitest/config";

// Unit tests share one process and run in random order, so that no test can lean on another. What starts processes,
// opens ports or touches cgroups is named *.process.test.ts. Those that build, link or store, and for which it is all the
// same how long that takes, run two files at a time; those that tell of time, load or a whole platform one at a time.
const processTests = "{sdk,runtime,gateway,scheduler,samples,test}/**/*.process.test.ts";
const patientTests =
  "{sdk/build,sdk/cli,sdk/image,runtime/component,runtime/image,runtime/standalone,scheduler/api,scheduler/store,test/conformance,test/tidy}/**/*.process.test.ts";
const ofProcesses = { pool: "forks", testTimeout: 60_000, hookTimeout: 240_000 } as const;

export default defineConfig({
  test: {
    projects: [
      {
        // What code inside a component imports from its host, in plain Node.
        resolve: {
          alias: [{ find: /^wazi:.*/, replacement: new URL("sdk/guest/wasi/wasi.fake.ts", import.meta.url).pathname }],
        },
        test: {
          name: "unit",
          include: ["{sdk,runtime,gateway,scheduler,samples,test}/**/*.test.ts"],
          exclude: ["**/node_modules/**", "**/*.process.test.ts"],
          pool: "threads",
          isolate: false,
          sequence: { shuffle: true },
          // A disk that others keep busy makes a thousand durable writes slow; a test that hangs is still found.
          testTimeout: 30_000,
        },
      },
      {
        test: {
          ...ofProcesses,
          name: "process-patient",
          include: [patientTests],
          exclude: ["**/node_modules/**"],
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          ...ofProcesses,
          name: "process",
          include: [processTests],
          exclude: ["**/node_modules/**", patientTests],
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
