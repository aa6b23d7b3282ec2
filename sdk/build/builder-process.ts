import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { BuilderMessage, BuilderRequest, BuildEvent, BuiltVariant } from "../wire/index.ts";
import { DockerfileFault, type DockerfileFaultCode } from "../wire/index.ts";

/** Started by path: the SDK imports no other folder. */
const main = fileURLToPath(new URL("../../runtime/build/main.ts", import.meta.url));

/**
 * Builds from Dockerfiles in a process of the runtime, which has what RUN needs. It ends when its orders are done, when the
 * signal is aborted, or when this process has gone.
 * @throws DockerfileFault
 */
export async function runBuilder(
  request: BuilderRequest,
  options: {
    readonly environment: Readonly<Record<string, string | undefined>>;
    readonly signal: AbortSignal;
    readonly onEvent: (event: BuildEvent) => void;
  },
): Promise<readonly BuiltVariant[]> {
  const { environment, signal, onEvent } = options;
  signal.throwIfAborted();
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", main], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    env: { ...environment },
  });
  const stop = (): void => void child.kill("SIGTERM");
  signal.addEventListener("abort", stop, { once: true });
  try {
    return await new Promise<readonly BuiltVariant[]>((resolve, reject) => {
      child.on("message", (message: BuilderMessage) => {
        if (message.kind === "event") onEvent(message.event);
        else if (message.kind === "built") resolve(message.variants);
        else reject(new DockerfileFault(message.code as DockerfileFaultCode, message.message));
      });
      child.once("error", reject);
      child.once("close", (code, ended) =>
        reject(new DockerfileFault("BUILD_UNSUPPORTED", `the builder ended too early (${ended ?? String(code)})`)),
      );
      child.send(request);
    });
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** Of a line that was written over with carriage returns, what a terminal would show in the end. */
export const lastState = (line: string): string => line.replace(/\r+$/, "").replace(/^.*\r/s, "");
