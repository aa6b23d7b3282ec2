import { BaseSequencer, type TestSpecification } from "vitest/node";
import { defineConfig } from "vitest/config";

// Unit tests of one file share a thread with those of others and run in random order, so that no test can lean on another. What
// starts processes, opens ports or touches cgroups is named *.process.test.ts. A platform waits as much as it works, so three of
// those run at a time on two cores; a test that another one can disturb would be disturbed by any busy machine.
const processTests = "{sdk,runtime,gateway,scheduler,samples,test}/**/*.process.test.ts";
const unitFilesAtOnce = 2;
const processFilesAtOnce = 3;

/**
 * Files that take longest, in the order in which they begin: those that mostly wait beside those that mostly work, and none of
 * them so late that it is left over, alone, at the end. All others follow, the larger ones first.
 */
const longest = [
  "test/e2e/second-node",
  "test/conformance/languages",
  "test/e2e/restart",
  "sdk/build/build",
  "test/e2e/pods",
  "runtime/standalone/run",
  "test/e2e/running",
  "test/e2e/languages",
  "test/e2e/twelve-guests",
  "test/conformance/guest",
  "test/e2e/main-job",
  "runtime/standalone/serve",
  "test/e2e/docker",
  "test/e2e/bad-guest",
  "runtime/host/watchdog",
  "test/e2e/bad-image",
  "runtime/host/wasm-runtime",
  "test/e2e/bad-request",
  "test/conformance/wasi-0-3",
  "runtime/image/registry/kill",
  "sdk/cli/wrong-input",
].map((name) => `/${name}.process.test.ts`);

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const found = longest.findIndex((name) => moduleId.endsWith(name));
      return found === -1 ? longest.length : found;
    };
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
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
          maxWorkers: unitFilesAtOnce,
          isolate: false,
          sequence: { shuffle: true },
          // A disk that others keep busy makes a thousand durable writes slow; a test that hangs is still found.
          testTimeout: 120_000,
          expect: { poll: { timeout: 60_000 } },
        },
      },
      {
        test: {
          name: "process",
          include: [processTests],
          exclude: ["**/node_modules/**"],
          pool: "forks",
          maxWorkers: processFilesAtOnce,
          // No test is about how fast the machine is: on one that others keep busy, what takes a second may take a minute.
          testTimeout: 300_000,
          hookTimeout: 600_000,
          expect: { poll: { timeout: 120_000 } },
        },
      },
    ],
  },
});
