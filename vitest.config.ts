import { defineConfig } from "vitest/config";

// Unit tests of one file share a thread with those of others and run in random order, so that no test can lean on another. What
// starts processes, opens ports or touches cgroups is named *.process.test.ts. Both run two files at a time: a platform waits as
// much as it works, and a test that another one can disturb would be disturbed by any busy machine.
const processTests = "{sdk,runtime,gateway,scheduler,samples,test}/**/*.process.test.ts";
const filesAtOnce = 2;

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
          maxWorkers: filesAtOnce,
          isolate: false,
          sequence: { shuffle: true },
          // A disk that others keep busy makes a thousand durable writes slow; a test that hangs is still found.
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: "process",
          include: [processTests],
          exclude: ["**/node_modules/**"],
          pool: "forks",
          maxWorkers: filesAtOnce,
          testTimeout: 60_000,
          hookTimeout: 240_000,
        },
      },
    ],
  },
});
