#!/usr/bin/env node
// Plain JavaScript that any Node understands: finds the project's own Node and hands over to it.
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const majorMin = 26;

if (Number(process.versions.node.split(".")[0]) >= majorMin) {
  const { enableCompileCache } = await import("node:module");
  enableCompileCache?.(join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "shallop", "compile"));
  await import("../cli/main.ts");
} else {
  let node;
  try {
    node = join(dirname(createRequire(import.meta.url).resolve("node/package.json")), "bin", "node");
  } catch {
    console.error(
      `shallop needs Node ${majorMin}, which comes with it, and this is ${process.version}. Run npm install where shallop is installed.`,
    );
    process.exit(1);
  }
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: "inherit" });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("error", (error) => {
    console.error(`shallop cannot start its own Node (${node}): ${error.message}. Run npm install again.`);
    process.exit(1);
  });
  child.on("exit", (code, signal) => {
    if (signal !== null) process.kill(process.pid, signal);
    process.exit(code ?? 1);
  });
}
