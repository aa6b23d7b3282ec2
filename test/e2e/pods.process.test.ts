import { randomBytes } from "node:crypto";
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { publishBusybox } from "../support/busybox.ts";
import { type Kubectl, needKubectl } from "../support/kubectl.ts";
import { freePort, Platform } from "../support/platform.ts";

// Pods as a user of Kubernetes knows them, by a real kubectl against one platform: native containers with a shell in them.

let platform: Platform;
let kubectl: Kubectl;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "shallop-pods-"));
  platform = await Platform.start();
  kubectl = await needKubectl(platform.kubeconfig);
  await publishBusybox(platform, directory);
  await k(
    "apply -f -",
    podOf("web", { containers: [{ name: "c", image: "busybox:1", ports: [{ containerPort: 8080 }] }] }),
  );
  await k("wait --for=condition=Ready pod/web --timeout=30s");
});
afterEach(async ({ task }) => {
  if (task.result?.state === "fail") console.log(await platform?.logs());
});
afterAll(async () => {
  await kubectl?.[Symbol.asyncDispose]();
  await platform?.[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

const podOf = (name: string, spec: object): string =>
  JSON.stringify({ apiVersion: "v1", kind: "Pod", metadata: { name }, spec });

const run = (args: string, input?: string): ReturnType<Kubectl> => kubectl(args.split(" "), input);

/** Runs kubectl to its end; its standard output. */
async function k(args: string, input?: string): Promise<string> {
  const { code, stdout, stderr } = await run(args, input);
  expect(code, `kubectl ${args}: ${stderr}`).toBe(0);
  return stdout;
}

const shell = (script: string, ...flags: readonly string[]): ReturnType<Kubectl> =>
  kubectl(["exec", ...flags, "web", "--", "sh", "-c", script]);

test("exec: both outputs, standard input, exit codes, a command that is not there", async () => {
  expect(await shell("echo out; echo err >&2; exit 3")).toMatchObject({
    code: 3,
    stdout: "out\n",
    stderr: "err\ncommand terminated with exit code 3\n",
  });
  expect(await run("exec -i web -- cat", "said\n")).toMatchObject({ code: 0, stdout: "said\n" });
  const missing = await run("exec web -- nosuch");
  expect(missing.code).not.toBe(0);
  expect(missing.stderr).toMatch(/nosuch.*not found/);
  expect((await run("exec web -c other -- true")).stderr).toMatch(/container other is not valid for pod web/);
});

test("exec -it: a terminal of the client's size, and the exit code", async () => {
  const script = `stty rows 33 cols 77; exec kubectl exec -it web -- sh -c 'tty; sleep 1; stty size; exit 5'`;
  const client = spawn("script", ["--quiet", "--return", "--command", script, "/dev/null"], {
    env: { PATH: process.env["PATH"] ?? "", KUBECONFIG: platform.kubeconfig, HOME: directory },
  });
  let output = "";
  client.stdout.on("data", (chunk) => (output += String(chunk)));
  const code = await new Promise((resolve) => client.once("close", resolve));
  expect(output).toMatch(/\/dev\/pts\/\d+\r\n33 77\r\n/);
  expect(code).toBe(5);
});

test("cp there and back", async () => {
  const bytes = randomBytes(1_000_000);
  const [here, back] = [join(directory, "blob"), join(directory, "back")];
  await writeFile(here, bytes);
  await k(`cp ${here} web:/tmp/blob`);
  await k(`cp web:/tmp/blob ${back}`);
  expect((await readFile(back)).equals(bytes)).toBe(true);
});

test("port-forward, and a port on which nothing listens", async () => {
  const [port, dead] = [await freePort(), await freePort()];
  await using forward = kubectl.start(["port-forward", "pod/web", `${String(port)}:8080`, `${String(dead)}:9999`]);
  await forward.waitFor(/Forwarding from 127.*9999/s);
  expect(await (await fetch(`http://127.0.0.1:${String(port)}/`)).text()).toBe("hello from busybox\n");
  await expect(fetch(`http://127.0.0.1:${String(dead)}/`)).rejects.toThrow();
});

test("attach: what the program says from now on", async () => {
  await using attached = kubectl.start(["attach", "web"]);
  // It is told from when it is attached; said again until it hears.
  await expect
    .poll(async () => {
      await shell("echo spoken > /proc/1/fd/1");
      return attached.stdout();
    })
    .toContain("spoken\n");
});
