import { defineConfig } from "vitest/config";

// Unit tests share one process and run in random order, so that no test can lean on another. What starts processes,
// opens ports or touches cgroups is named *.process.test.ts and runs in the second project, one file at a time.
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
          name: "process",
          include: ["{sdk,runtime,gateway,scheduler,samples,test}/**/*.process.test.ts"],
          exclude: ["**/node_modules/**"],
          pool: "forks",
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
