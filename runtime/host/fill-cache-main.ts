// Fills Node's compile cache with what a host process and its threads run: loads all of it, lets the warm-up guest be
// served, and ends. Its argument is the directory, which NODE_COMPILE_CACHE names too.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import "./host-server.ts";
import "../sandbox/kernel/close-system-calls.ts";
import { PodThread } from "./pod-thread.ts";

const directory = mkdtempSync(join(tmpdir(), "sh-fill-"));
const end = (code: number): void => {
  rmSync(directory, { recursive: true, force: true });
  // Node writes what this thread has compiled.
  process.exit(code);
};
const thread = new PodThread(join(directory, "t"), process.argv[2] ?? "", { flushes: true });
thread.own({
  event: (event) => {
    if (event.type === "spare") end(0);
  },
  gone: () => end(1),
});
