import { spawn } from "node:child_process";

/** Runs a program in the foreground; its exit code. */
export function runProgram(main: string, args: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, [main, ...args], { stdio: "inherit" });
  const pass = (signal: NodeJS.Signals) => (): void => void child.kill(signal);
  process.on("SIGTERM", pass("SIGTERM"));
  process.on("SIGINT", pass("SIGINT"));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => resolve(code ?? 1));
  });
}
