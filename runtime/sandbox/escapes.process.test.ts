import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "@shallop/sdk/internal";
import type { RunningPod } from "../pod/pod-runtime.ts";
import { plainSecurity } from "../pod/pod-security.ts";
import { escapeAttempts, escapeTools } from "./escapes.fixture.ts";
import type { SandboxMachine } from "./features.ts";
import { LinuxKernel } from "./kernel/linux.ts";
import { inside, inspectorImage, openSandbox, type Sandbox, sandboxMachines } from "./sandbox.fixture.ts";

// Known ways out of containers, tried in real ones: in one that asks for nothing, and in one that is given everything.
const { machines, missing } = await sandboxMachines();

if (missing !== undefined) {
  test("escapes cannot be tried here, and detection says why", () => {
    console.warn(missing);
    expect(missing).toMatch(/native pods/);
  });
}

/** What an escape would change. */
async function traces(machine: SandboxMachine): Promise<unknown> {
  const kernel = await LinuxKernel.open(systemClock);
  const settings = ["core_pattern", "modprobe", "hostname"].map((name) => `/proc/sys/kernel/${name}`);
  const agents = kernel.cgroups.layout.roots.map((root) => join(root, "release_agent"));
  const texts = await Promise.all(
    [...settings, "/sys/kernel/uevent_helper", ...agents].map((path) => readFile(path, "utf8").catch(() => "none")),
  );
  const program = createHash("sha256").update(await readFile(machine.runtime.path));
  return { texts, program: program.digest("hex"), devices: (await readdir("/dev")).filter((name) => name === "evil") };
}

describe.each(machines.map((machine) => ({ kind: machine.runtime.kind, machine })))("with $kind", ({ machine }) => {
  let sandbox: Sandbox;
  let before: unknown;
  const pods: { plain?: RunningPod; privileged?: RunningPod } = {};
  beforeAll(async () => {
    before = await traces(machine);
    sandbox = await openSandbox(machine);
    pods.plain = await sandbox.start({ uid: "plain" });
    if (machine.shiftsUsers) {
      const security = { ...plainSecurity, privileged: true, readOnlyRoot: false, allowPrivilegeEscalation: true };
      pods.privileged = await sandbox.start({ uid: "privileged", security });
    }
  });
  afterAll(async () => {
    await sandbox.runtime.stop("plain", 0);
    await sandbox.runtime.stop("privileged", 0);
    await sandbox[Symbol.asyncDispose]();
  });

  test.each(escapeAttempts)("$name", async ({ body, held, heldPrivileged = held }) => {
    const { plain, privileged } = pods;
    if (plain === undefined) throw new Error("no pod");
    expect(held).toContain(await inside(plain, escapeTools + body));
    if (privileged !== undefined) expect(heldPrivileged).toContain(await inside(privileged, escapeTools + body));
    expect(await traces(machine)).toEqual(before);
  });

  imageTests(machine, () => sandbox);
});

function imageTests(machine: SandboxMachine, opened: () => Sandbox): void {
  const scratch: string[] = [];
  afterAll(async () => {
    for (const directory of scratch) await rm(directory, { recursive: true, force: true });
  });

  test("CVE-2025-31133, -52565, 2026-41579: links where devices and terminals are mounted lead nowhere", async () => {
    const before = await traces(machine);
    const directory = await mkdtemp(join(tmpdir(), "shallop-escape-layer-"));
    scratch.push(directory);
    await mkdir(join(directory, "dev/pts"), { recursive: true });
    for (const name of [
      "null",
      "zero",
      "full",
      "random",
      "urandom",
      "tty",
      "console",
      "ptmx",
      "pts/0",
      "shm",
      "mqueue",
    ]) {
      await symlink("/proc/sys/kernel/core_pattern", join(directory, "dev", name));
    }
    await mkdir(join(directory, "var"));
    await symlink("/proc/sys/kernel", join(directory, "var/tmp"));
    const image = inspectorImage();
    const pod = await opened().start({
      uid: "links",
      image: { ...image, layerPaths: [...image.layerPaths, directory] },
    });
    expect(
      await inside(
        pod,
        `return fs.statSync("/dev/null").isCharacterDevice() && fs.lstatSync("/dev/null").isSymbolicLink()`,
      ),
    ).toBe(false);
    expect(
      await inside(pod, `fs.writeFileSync("/dev/null", "|/evil"); return fs.readFileSync("/dev/null", "utf8")`),
    ).toBe("");
    // Masked by a device that a link took the place of, these would be readable.
    expect(
      await inside(pod, `return fs.readFileSync("/proc/keys", "utf8") + fs.readFileSync("/proc/timer_list", "utf8")`),
    ).toBe("");
    await opened().runtime.stop("links", 0);
    expect(await traces(machine)).toEqual(before);
  });

  test("containerd CVE-2026-53488, -53492: nothing in an image becomes a hook, an annotation or a device", async () => {
    const image = inspectorImage({ env: ["OCI_HOOKS=/evil", "LD_PRELOAD=/evil.so"] });
    await opened().start({ uid: "bundle", image });
    const text = await readFile(await bundleOf(opened(), "OCI_HOOKS"), "utf8");
    const spec: unknown = JSON.parse(text);
    expect(spec).not.toHaveProperty("hooks");
    expect(spec).not.toHaveProperty("annotations");
    expect(spec).not.toHaveProperty("linux.devices");
    // Of the machine's paths there are the runtime's own mounts only, all under one directory that is made for the pod.
    const paths = [...text.matchAll(/"(?:source|path)":"(\/[^"]*)"/g)].map(([, path = ""]) => path);
    expect(paths.filter((path) => !/^\/run\/(shallop\/pod|netns)\//.test(path))).toEqual([]);
    await opened().runtime.stop("bundle", 0);
  });
}

/** The config.json that holds `text`. */
async function bundleOf(sandbox: Sandbox, text: string): Promise<string> {
  const pods = join(sandbox.directory, "pods");
  for (const name of await readdir(pods)) {
    const path = join(pods, name, "bundle/config.json");
    if ((await readFile(path, "utf8").catch(() => "")).includes(text)) return path;
  }
  throw new Error("no such bundle");
}
