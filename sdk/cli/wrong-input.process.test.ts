import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { lockDataDirectory } from "../supervise/index.ts";

// What people type wrong: one sentence that says what, with its code and the right exit code, and never a stack.

const bin = fileURLToPath(new URL("../bin/shallop.js", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "shallop-wrong-"));
const busy = createServer();
let busyPort = 0;

const files: Readonly<Record<string, string>> = {
  "a-file": "not a directory",
  "not-wasm.wasm": "hello",
  "broken/shallop.yaml": "a: [",
  "unknown/shallop.yaml": 'name: a\nversion: "1"\ncolour: red\nwasm:\n  source: x.ts\n',
  "no-source/shallop.yaml": 'name: a\nversion: "1"\nwasm:\n  source: x.ts\n',
  "no-native/shallop.yaml": 'name: a\nversion: "1"\nnative:\n  - node: y.ts\n',
  "no-import/shallop.yaml": 'name: a\nversion: "1"\nwasm:\n  source: x.ts\n',
  "no-import/x.ts": 'import "./nowhere.ts";\nexport default { fetch() {} };\n',
  "no-code/shallop.yaml": 'name: a\nversion: "1"\nnative:\n  - node: y.ts\n',
  "no-code/y.ts": "export default {",
  "directory/shallop.yaml/x": "",
  "full/x": "",
};

let lock: Disposable;

beforeAll(async () => {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(directory, name, ".."), { recursive: true });
    writeFileSync(join(directory, name), text);
  }
  mkdirSync(join(directory, "empty"));
  mkdirSync(join(directory, "held"));
  lock = lockDataDirectory(join(directory, "held"));
  await new Promise<void>((resolve) => busy.listen(0, "127.0.0.1", resolve));
  busyPort = (busy.address() as AddressInfo).port;
});
afterAll(() => {
  lock[Symbol.dispose]();
  busy.close();
  rmSync(directory, { recursive: true, force: true });
});

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function shallop(args: readonly string[]): Promise<Ended> {
  const env = { ...process.env, HOME: directory, XDG_CACHE_HOME: join(directory, "cache"), KUBECONFIG: undefined };
  return new Promise((resolve) => {
    execFile(process.execPath, [bin, ...args], { cwd: directory, env, timeout: 120_000 }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === "number" ? error.code : error === null ? 0 : -1, stdout, stderr });
    });
  });
}

const cases: readonly (readonly [line: string, code: 1 | 2, says: RegExp])[] = [
  ["bogus", 2, /unknown command 'bogus'/],
  ["new cobol x", 1, /no template "cobol".*TEMPLATE_UNKNOWN/],
  ["new typescript", 2, /missing required argument 'directory'/],
  ["new typescript full", 1, /full is not empty.*TARGET_EXISTS/],
  ["new typescript a-file", 1, /a-file cannot be written \(ENOTDIR\).*TARGET_EXISTS/],
  ["new typescript /proc/shallop", 1, /\/proc\/shallop cannot be written \(ENOENT\).*TARGET_EXISTS/],
  ["verify x:1", 2, /required option '--key <file>' not specified/],
  ["build nowhere", 1, /there is no directory .*nowhere; make a project.*DIRECTORY \[PROJECT_INVALID/],
  ["build empty", 1, /empty has no shallop\.yaml; make a project.*DIRECTORY \[PROJECT_INVALID/],
  ["build a-file", 1, /a-file is no tar archive: name a directory.*CONTEXT_INVALID/],
  ["build directory", 1, /shallop\.yaml cannot be read \(EISDIR\) \[PROJECT_INVALID/],
  ["build broken", 1, /broken\/shallop\.yaml is no YAML: [^]*line \d[^]*\[PROJECT_INVALID/],
  ["build unknown", 1, /colour: is unknown; known are .*PROJECT_INVALID/],
  ["build no-source", 1, /x\.ts, which shallop\.yaml names as source, cannot be read \(ENOENT\) \[SOURCE_INVALID/],
  ["build no-native", 1, /y\.ts, which shallop\.yaml names as source, cannot be read \(ENOENT\) \[SOURCE_INVALID/],
  ["build no-import", 1, /\.\/nowhere\.ts/],
  ["build no-code", 1, /y\.ts cannot be bundled/],
  ["build no-source --engine v8", 2, /--engine is "v8"; there are quickjs/],
  ["build no-source -t UP:1", 1, /"UP:1" is no image reference.*REFERENCE_INVALID/],
  ["push nope:1", 1, /no image 127\.0\.0\.1:5000\/nope:1 on this machine.*MANIFEST_UNKNOWN/],
  ["pull ::", 1, /"::" is no image reference/],
  ["pull 127.0.0.1:1/a:1", 1, /127\.0\.0\.1:1 cannot be reached.*REGISTRY_UNREACHABLE/],
  ["images -o yaml", 2, /--output is "yaml"; there is json \[USAGE/],
  ["inspect nowhere.wasm", 1, /nowhere\.wasm cannot be read: there is no such file \[FILE_INVALID/],
  ["inspect not-wasm.wasm", 1, /not-wasm\.wasm holds no WebAssembly; .*FILE_INVALID/],
  ["list", 1, /no platform to speak to.*NO_PLATFORM/],
  ["list -o wide", 2, /--output is "wide"/],
  ["list --kubeconfig nowhere", 1, /cannot read the kubeconfig in nowhere/],
  ["list --kubeconfig broken/shallop.yaml", 1, /it is not YAML/],
  ["list too many", 2, /too many arguments/],
  ["deploy x", 2, /--image <ref>' not specified/],
  ["deploy x --image UP:1", 1, /"UP:1" is no image reference.*REFERENCE_INVALID/],
  ["deploy a/b --image a:1", 2, /"a\/b" is no name of a service/],
  ["deploy x --image a:1 --concurrency some", 2, /--concurrency is "some", which is no whole number/],
  ["deploy x --image a:1 --env A", 2, /--env is "A"; it is written NAME=VALUE/],
  ["logs x --tail some", 2, /--tail is "some", which is no whole number/],
  ["traffic x --to x-1=some", 2, /--to is "some", which is no whole number/],
  ["traffic x --to x-1=50", 2, /make 50 together, not 100/],
  ["traffic x --tag x-1", 2, /--tag is "x-1"; it is written REVISION=TAG/],
  ["delete a/b", 2, /"a\/b" is no name of a service/],
  ["status --data empty", 1, /no platform runs here; start one with shallop up \[NOT_RUNNING\]$/],
  ["token --data empty", 1, /no platform has been started in .*empty; .*NO_PLATFORM/],
  ["up --port some", 2, /--port is "some"/],
  ["up --port 18080 --api-port 18080", 2, /port 18080 is given twice/],
  ["up --node-name Node_1", 2, /--node-name is "Node_1"/],
  ["up --data empty --gateway nonsense=x", 2, /shallop gateway: Unknown option '--nonsense'/],
  ["up --data empty --server nonsense=x", 2, /shallop server: Unknown option '--nonsense'/],
  ["up --data a-file", 1, /a-file cannot be written \(EACCES\); choose another with --data DIR \[DATA_UNWRITABLE/],
  ["up --data /proc/shallop", 1, /\/proc\/shallop cannot be written \(ENOENT\)/],
  ["up --data held", 1, /a platform runs on .*held already \(process \d+\).*ports \[DATA_IN_USE/],
  ["up --data held --detach", 1, /a platform runs on .*held already \(process \d+\).*ports \[DATA_IN_USE/],
  ["up --data empty --port BUSY", 1, /port \d+ for the gateway is in use; choose another with --port PORT/],
  ["up --data empty --host no-such-host.invalid", 1, /no-such-host\.invalid is no address of this machine/],
  ["server --colour red", 2, /shallop server: .*'--colour'.*shallop server --help/],
  ["agent --colour red", 2, /shallop agent: .*'--colour'/],
  ["gateway --port", 2, /shallop gateway: .*--port/],
  ["agent stray", 2, /shallop agent: .*'stray'/],
];

test.each(cases)("shallop %s", async (line, code, says) => {
  const ended = await shallop(line.split(" ").map((word) => (word === "BUSY" ? String(busyPort) : word)));
  expect(ended).toMatchObject({ code, stdout: "" });
  expect(ended.stderr.trim()).toMatch(says);
  expect(ended.stderr).not.toMatch(/^\s+at .*\d+:\d+\)?$|node:internal/m);
  expect(ended.stderr).not.toContain("\u001b[");
});

test.each(["server", "agent", "gateway"])("shallop %s --help shows its flags", async (part) => {
  const { code, stdout } = await shallop([part, "--help"]);
  expect(code).toBe(0);
  expect(stdout).toContain(`Usage: shallop ${part}`);
  expect(stdout).toMatch(/--port <port> +/);
});

test("nothing is left to stop where nothing was", async () => {
  expect(await shallop(["down", "--data", "never"])).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/there is no .*never/),
  });
});

test("what is printed to go on with can be pasted", async () => {
  const { stdout } = await shallop(["new", "typescript", "it's mine"]);
  expect(stdout).toContain(String.raw`cd 'it'\''s mine' && shallop build`);
});
