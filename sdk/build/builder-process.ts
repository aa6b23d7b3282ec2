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
  // One in namespaces of its own hears no signal, but the end of its channel.
  const stop = (): void => {
    child.kill("SIGTERM");
    if (child.connected) child.disconnect();
  };
  signal.addEventListener("abort", stop, { once: true });
  try {
    return await new Promise<readonly BuiltVariant[]>((resolve, reject) => {
      child.on("message", (message: BuilderMessage) => {
        if (message.kind === "ready") child.send(request);
        else if (message.kind === "event") onEvent(message.event);
        else if (message.kind === "built") resolve(message.variants);
        else reject(new DockerfileFault(message.code as DockerfileFaultCode, message.message));
      });
      child.once("error", reject);
      child.once("exit", (code, ended) =>
        reject(
          signal.aborted
            ? signal.reason
            : new DockerfileFault("BUILD_UNSUPPORTED", `the builder ended too early (${ended ?? String(code)})`),
        ),
      );
    });
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** Of a line that was written over with carriage returns, what a terminal would show in the end. */
export const lastState = (line: string): string => line.replace(/\r+$/, "").replace(/^.*\r/s, "");
