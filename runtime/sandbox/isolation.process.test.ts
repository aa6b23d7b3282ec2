import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cp, mkdir, mkdtemp, readdir, readFile, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "@shallop/sdk/internal";
import type { RunningPod } from "../pod/pod-runtime.ts";
import { plainSecurity } from "../pod/pod-security.ts";
import type { SandboxMachine } from "./features.ts";
import { lookUp } from "./image-files.ts";
import { LinuxKernel } from "./kernel/linux.ts";
import { nodeKey, podKey, podNames } from "./pod-files.ts";
import { inside, inspectorImage, launchOf, openSandbox, type Sandbox, sandboxMachines } from "./sandbox.fixture.ts";

// What a guest sees and can do, asked from inside of it.
const { machines, missing } = await sandboxMachines();

if (missing !== undefined) {
  test("isolation of native pods cannot be tested here, and detection says why", () => {
    console.warn(missing);
    expect(missing).toMatch(/native pods/);
  });
}

/** Of a process; from its status, for its directory in /proc belongs to root when it may not be traced. */
const ownerOf = async (pid: number): Promise<number> =>
  Number(/^Uid:\s+(\d+)/m.exec(await readFile(`/proc/${pid}/status`, "utf8"))?.[1]);

const hashOf = async (path: string): Promise<string> =>
  createHash("sha256")
    .update(await readFile(path))
    .digest("hex");

describe.each(machines.map((machine) => ({ kind: machine.runtime.kind, machine })))("with $kind", ({ machine }) => {
  viewTests(machine);
  securityTests(machine);
  networkTests(machine);
  imageTests(machine);
});

function viewTests(machine: SandboxMachine): void {
  let sandbox: Sandbox;
  let pod: RunningPod;
  beforeAll(async () => {
    sandbox = await openSandbox(machine);
    pod = await sandbox.start({ uid: "inspected", name: "inspected" });
  });
  afterAll(async () => {
    await sandbox.runtime.stop("inspected", 0);
    await sandbox[Symbol.asyncDispose]();
  });

  test("capabilities are the six of the bounding set, nothing can add to them, and the filter is on", async () => {
    const status = String(await inside(pod, `return fs.readFileSync("/proc/self/status", "utf8")`));
    const value = (name: string): string | undefined => new RegExp(`^${name}:\\s*(\\w+)`, "m").exec(status)?.[1];
    // CHOWN 0, DAC_OVERRIDE 1, FOWNER 3, KILL 5, SETGID 6, SETUID 7.
    for (const name of ["CapBnd", "CapEff", "CapPrm"]) expect(value(name)).toBe("00000000000000eb");
    for (const name of ["CapInh", "CapAmb"]) expect(value(name)).toBe("0000000000000000");
    expect(value("NoNewPrivs")).toBe("1");
    expect(value("Seccomp")).toBe("2");
  });

  test("root is an unprivileged user of the machine, owners of files are shifted for it, and no two pods share ids", async () => {
    const [, first = "", size] = String(await inside(pod, `return fs.readFileSync("/proc/self/uid_map", "utf8")`))
      .trim()
      .split(/\s+/);
    expect(Number(first)).toBeGreaterThanOrEqual(1 << 24);
    expect(size).toBe("65536");
    expect(
      await inside(pod, `return [process.getuid(), fs.statSync("/usr/bin/node").uid, fs.statSync("/etc/hosts").uid]`),
    ).toEqual([0, 0, 0]);
    const kernel = await LinuxKernel.open(systemClock);
    const { cgroup } = podNames(nodeKey(await realpath(sandbox.directory)), podKey("inspected"));
    const pids = await kernel.cgroups.processes(cgroup);
    expect(pids.length).toBeGreaterThan(0);
    for (const pid of pids) expect(await ownerOf(pid)).toBe(Number(first));
    const other = await sandbox.start({ uid: "beside" });
    expect(await inside(other, `return fs.readFileSync("/proc/self/uid_map", "utf8")`)).not.toContain(first);
    await sandbox.runtime.stop("beside", 0);
  });

  const calls = [
    { name: "unshare", args: [0x1000_0000], code: 1 },
    { name: "mount", args: [0, 0, 0, 0, 0], code: 1 },
    { name: "ptrace", args: [0, 0, 0, 0], code: 1 },
    { name: "socket", args: [40, 1, 0], code: 1 },
    { name: "socket", args: [17, 3, 0], code: 1 },
    { name: "socket", args: [16, 3, 15], code: 1 },
    { name: "personality", args: [0x40_0000], code: 1 },
    { name: "setns", args: [0, 0], code: 1 },
  ];
  test.each(calls)("the call $name $args is refused", async ({ name, args, code }) => {
    const types = args.map(() => '"u64"').join(",");
    const values = args.map((value) => `${value}n`).join(",");
    // errno lives where its C library says; the result of a failed call is -1.
    const body = `const { default: ffi } = await import("node:ffi");
      const { functions } = ffi.dlopen("libc.so.6", {
        ${name}: { arguments: [${types}], return: "i32" }, __errno_location: { arguments: [], return: "pointer" } });
      const result = functions.${name}(${values});
      return [result, ffi.getInt32(functions.__errno_location())];`;
    expect(await inside(pod, body)).toEqual([-1, code]);
  });

  test("the root is read-only, scratch directories are bounded and are not", async () => {
    const tryWrite = (path: string): string =>
      `try { fs.writeFileSync("${path}", "x"); return "written" } catch (error) { return error.code }`;
    for (const path of ["/x", "/etc/x", "/usr/bin/node", "/etc/hosts", "/var/x"]) {
      expect([path, await inside(pod, tryWrite(path))]).toEqual([path, "EROFS"]);
    }
    for (const path of ["/tmp/x", "/run/x", "/var/tmp/x", "/dev/shm/x"]) {
      expect([path, await inside(pod, tryWrite(path))]).toEqual([path, "written"]);
    }
    const filled = `let size = 0; const file = fs.openSync("/tmp/big", "w"); try { for (;;) size += fs.writeSync(file, Buffer.alloc(1 << 20)); }
      catch (error) { fs.closeSync(file); fs.unlinkSync("/tmp/big"); return [error.code, size] }`;
    expect(await inside(pod, filled)).toEqual(["ENOSPC", expect.closeTo(64 << 20, -6)]);
  });

  test("what tells about the machine is masked or read-only", async () => {
    const read = (path: string): string =>
      `try { return fs.readFileSync("${path}").length } catch (error) { return error.code }`;
    for (const path of ["/proc/interrupts", "/proc/keys", "/proc/timer_list", "/proc/kallsyms", "/proc/kcore"]) {
      expect([path, await inside(pod, read(path))]).toEqual([path, expect.toBeOneOf([0, "ENOENT"])]);
    }
    expect(await inside(pod, `return fs.readdirSync("/sys/firmware")`)).toEqual([]);
    for (const path of ["/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/proc/irq/default_smp_affinity"]) {
      const body = `try { fs.writeFileSync("${path}", "1"); return "written" } catch (error) { return error.code }`;
      expect([path, await inside(pod, body)]).toEqual([path, expect.toBeOneOf(["EROFS", "EACCES", "EPERM", "ENOENT"])]);
    }
  });

  test("no descriptor leads out of the pod", async () => {
    const links = await inside(
      pod,
      `return fs.readdirSync("/proc/self/fd").flatMap((fd) => { try { return [[Number(fd), fs.readlinkSync("/proc/self/fd/" + fd)]] } catch { return [] } })`,
    );
    expect(Array.isArray(links)).toBe(true);
    if (!Array.isArray(links)) return;
    for (const link of links) {
      const [fd, target]: unknown[] = Array.isArray(link) ? link : [];
      if (typeof fd !== "number" || fd <= 2) continue;
      expect([fd, target]).toEqual([fd, expect.stringMatching(/^(anon_inode:|pipe:|socket:|\/dev\/null$|\/proc\/)/)]);
    }
  });

  test("it sees its own processes, name, cgroup and few devices, and none of the node's environment", async () => {
    expect(await inside(pod, `return fs.readdirSync("/proc").filter((name) => /^\\d+$/.test(name))`)).toEqual(["1"]);
    expect(await inside(pod, `return fs.readFileSync("/proc/sys/kernel/hostname", "utf8")`)).toBe("inspected\n");
    expect(await inside(pod, `return fs.readFileSync("/etc/hosts", "utf8")`)).toContain(`${pod.ip}\tinspected\n`);
    expect(await inside(pod, `return fs.readFileSync("/proc/self/cgroup", "utf8")`)).not.toContain("shallop");
    expect(await inside(pod, `return fs.readdirSync("/dev").toSorted()`)).toEqual(
      expect.arrayContaining(["full", "null", "pts", "random", "shm", "tty", "urandom", "zero"]),
    );
    expect(
      await inside(pod, `return fs.readdirSync("/dev").filter((name) => /^(vd|sd|mem|kmsg|kvm|fuse)/.test(name))`),
    ).toEqual([]);
    expect(await inside(pod, "return Object.keys(process.env).toSorted()")).toEqual([
      "HOME",
      "HOSTNAME",
      "PATH",
      "PORT",
    ]);
  });
}

function securityTests(machine: SandboxMachine): void {
  test("what the pod's security context asks for: users, groups, a root to write, settings of its namespaces", async () => {
    await using sandbox = await openSandbox(machine);
    const sysctls = { "net.core.somaxconn": "777", "kernel.shm_rmid_forced": "1" };
    const ids = { runAsUser: 1234, runAsGroup: 77, runAsNonRoot: true, supplementalGroups: [88, 99] };
    const files = { "/data/of-image": "image", "/run/app/of-image": "run" };
    const image = inspectorImage({ files });
    const pod = await sandbox.start({ uid: "asks", image, security: { ...plainSecurity, ...ids, sysctls } });
    expect(await inside(pod, "return [process.getuid(), process.getgid(), process.getgroups().toSorted()]")).toEqual([
      1234,
      77,
      [77, 88, 99],
    ]);
    const read = (path: string): string => `return fs.readFileSync("/proc/sys/${path}", "utf8").trim()`;
    expect(await inside(pod, read("net/core/somaxconn"))).toBe("777");
    expect(await inside(pod, read("kernel/shm_rmid_forced"))).toBe("1");
    const writable = await sandbox.start({ uid: "writes", image, security: { ...plainSecurity, readOnlyRoot: false } });
    const body = `fs.writeFileSync("/data/of-image", "changed"); fs.mkdirSync("/new"); fs.unlinkSync("/etc/hostname");
      fs.chownSync("/new", 5, 6); const { uid, gid } = fs.statSync("/new");
      return [fs.readFileSync("/data/of-image", "utf8"), fs.readFileSync("/run/app/of-image", "utf8"), fs.statSync("/tmp").mode & 0o7777, uid, gid]`;
    expect(await inside(writable, body)).toEqual(["changed", "run", 0o1777, 5, 6]);
    expect(await inside(pod, `return fs.readFileSync("/data/of-image", "utf8")`)).toBe("image");
    const refused = sandbox.start({ uid: "root", image, security: { ...plainSecurity, runAsNonRoot: true } });
    await expect(refused).rejects.toMatchObject({
      code: "IMAGE_INVALID",
      message: expect.stringContaining("runAsNonRoot"),
    });
    for (const uid of ["asks", "writes"]) await sandbox.runtime.stop(uid, 0);
    expect(await readdir(join(sandbox.directory, "pods"))).toEqual([]);
  });
}

function networkTests(machine: SandboxMachine): void {
  const connectBody = (host: string, port: number): string => `return await new Promise((resolve) => {
    const socket = net.connect({ host: "${host}", port: ${port}, timeout: 700 });
    socket.once("connect", () => resolve("connected"));
    socket.once("timeout", () => resolve("timeout"));
    socket.once("error", (error) => resolve(error.code)); });`;

  test("a pod reaches neither other pods, nor the machine, nor anything beyond", async () => {
    await using sandbox = await openSandbox(machine);
    const [one, other] = [await sandbox.start({ uid: "one" }), await sandbox.start({ uid: "other" })];
    expect(await inside(one, connectBody("127.0.0.1", 8080))).toBe("connected");
    // Bridge and pods have hardware addresses of their own, which no pod's coming and going changes.
    const hardware = (ip: string): string =>
      `0a:58:${ip
        .split(".")
        .map((byte) => Number(byte).toString(16).padStart(2, "0"))
        .join(":")}`;
    const own = await inside(one, `return fs.readFileSync("/sys/class/net/eth0/address", "utf8").trim()`);
    expect(own).toBe(hardware(one.ip ?? ""));
    const [a, b] = (one.ip ?? "").split(".");
    const bridges = Object.values(networkInterfaces()).flatMap((entries) => entries ?? []);
    expect(bridges.some(({ address, mac }) => address.startsWith(`${a}.${b}.`) && mac === hardware(address))).toBe(
      true,
    );
    expect(await inside(one, connectBody(other.ip ?? "", 8080))).not.toBe("connected");
    const server = await listen();
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const addresses = Object.values(networkInterfaces())
      .flat()
      .filter((entry) => entry?.family === "IPv4" && !entry.internal);
    expect(addresses.length).toBeGreaterThan(0);
    for (const entry of addresses) {
      expect([entry?.address, await inside(one, connectBody(entry?.address ?? "", port))]).not.toContain("connected");
    }
    for (const special of ["169.254.169.254", "192.168.211.7", "100.64.211.7", "127.0.0.2"]) {
      expect([special, await inside(one, connectBody(special, 80))]).toEqual([
        special,
        expect.stringMatching(/^E(HOSTUNREACH|NETUNREACH|CONNREFUSED)$/),
      ]);
    }
    server.close();
  });
}

const listen = (): Promise<Server> =>
  new Promise((resolve) => {
    const server = createServer((socket) => socket.end()).listen(0, "0.0.0.0", () => resolve(server));
  });

function imageTests(machine: SandboxMachine): void {
  const scratch: string[] = [];
  afterAll(async () => {
    for (const directory of scratch) await rm(directory, { recursive: true, force: true });
  });
  const layer = async (fill: (directory: string) => Promise<void>): Promise<string> => {
    const directory = await mkdtemp(join(tmpdir(), "shallop-hostile-layer-"));
    scratch.push(directory);
    await fill(directory);
    return directory;
  };

  test("an image with links at /proc, /sys, /dev, /etc and /tmp gets directories there, and the machine is unharmed", async () => {
    await using sandbox = await openSandbox(machine);
    const outside = await mkdtemp(join(tmpdir(), "shallop-outside-"));
    scratch.push(outside);
    const hostile = await layer(async (directory) => {
      await symlink("/proc/self/fd", join(directory, "dev"));
      await symlink("/sys", join(directory, "proc"));
      await symlink("../../../../../../proc", join(directory, "sys"));
      await symlink(outside, join(directory, "etc"));
      await symlink("/proc/sys/kernel", join(directory, "tmp"));
      await symlink(outside, join(directory, "run"));
    });
    const corePattern = await readFile("/proc/sys/kernel/core_pattern", "utf8");
    const runtimeHash = await hashOf(machine.runtime.path);
    const image = inspectorImage();
    const pod = await sandbox.start({ uid: "links", image: { ...image, layerPaths: [...image.layerPaths, hostile] } });
    await inside(pod, `fs.writeFileSync("/tmp/core_pattern", "|/evil"); fs.writeFileSync("/run/x", "x")`);
    expect(await inside(pod, `return fs.lstatSync("/etc").isDirectory() && fs.lstatSync("/dev").isDirectory()`)).toBe(
      true,
    );
    await sandbox.runtime.stop("links", 0);
    expect(await readFile("/proc/sys/kernel/core_pattern", "utf8")).toBe(corePattern);
    expect(await hashOf(machine.runtime.path)).toBe(runtimeHash);
    await expect(readFile(join(outside, "x"))).rejects.toMatchObject({ code: "ENOENT" });
  });

  test("a whiteout hides a file of a lower layer, and layers stay as they were", async () => {
    await using sandbox = await openSandbox(machine);
    const base = await layer(async (directory) => {
      await mkdir(join(directory, "data"));
      await writeFile(join(directory, "data/kept"), "lower");
      await writeFile(join(directory, "data/both"), "lower");
      await writeFile(join(directory, "data/gone"), "lower");
    });
    const top = await layer(async (directory) => {
      await mkdir(join(directory, "data"));
      await writeFile(join(directory, "data/both"), "upper");
      execFileSync("mknod", [join(directory, "data/gone"), "c", "0", "0"]);
    });
    const image = inspectorImage();
    const pod = await sandbox.start({ image: { ...image, layerPaths: [base, ...image.layerPaths, top] } });
    const body = `return ["kept", "both"].map((name) => fs.readFileSync("/data/" + name, "utf8"))`;
    expect(await inside(pod, body)).toEqual(["lower", "upper"]);
    expect(await inside(pod, `return fs.readdirSync("/data").toSorted()`)).toEqual(["both", "kept"]);
    // Without a mount, the image is read the same.
    expect(await lookUp([top, base], "/data/gone")).toMatchObject({ kind: "missing" });
    expect(await lookUp([top, base], "/data/kept")).toMatchObject({ kind: "file" });
    await sandbox.runtime.stop(pod.uid, 0);
    expect(await readFile(join(base, "data/both"), "utf8")).toBe("lower");
  });

  test("an image of one hundred and thirty layers with long paths is mounted", async () => {
    await using sandbox = await openSandbox(machine);
    const image = inspectorImage();
    const many = await layer(async (directory) => {
      for (let index = 0; index < 128; index++) {
        await mkdir(join(directory, `layer,with:odd-${"x".repeat(60)}-${index}`));
        await writeFile(join(directory, `layer,with:odd-${"x".repeat(60)}-${index}`, `file${index}`), "");
      }
    });
    const layerPaths = Array.from({ length: 128 }, (_, index) =>
      join(many, `layer,with:odd-${"x".repeat(60)}-${index}`),
    );
    const pod = await sandbox.start({ image: { ...image, layerPaths: [...layerPaths, ...image.layerPaths] } });
    expect(await inside(pod, `return fs.readdirSync("/").filter((name) => name.startsWith("file")).length`)).toBe(128);
    await sandbox.runtime.stop(pod.uid, 0);
  });

  const forbidden = [3, 7, 9, 20].map((fd) => `/proc/self/fd/${fd}`);
  test.each([...forbidden, "/proc", "/tmp/../proc/1/cwd", "/app/link", "/dev/fd/8", "/sys/kernel"])(
    "the working directory %s is refused",
    async (workingDir) => {
      await using sandbox = await openSandbox(machine);
      const image = inspectorImage({ workingDir });
      const links = await layer(async (directory) => {
        await mkdir(join(directory, "app"));
        await symlink("/proc/self/fd/8", join(directory, "app/link"));
      });
      const launch = sandbox.start({ image: { ...image, layerPaths: [...image.layerPaths, links] } });
      await expect(launch).rejects.toMatchObject({ code: "IMAGE_INVALID" });
    },
  );

  test("a working directory that the image lacks is made, and users are resolved in the image", async () => {
    await using sandbox = await openSandbox(machine);
    const files = { "/etc/passwd": "root:x:0:0::/:\napp:x:1234:1235::/home/app:\n", "/etc/group": "web:x:80:app\n" };
    const pod = await sandbox.start({ image: inspectorImage({ files, user: "app", workingDir: "/home/app/new" }) });
    expect(
      await inside(pod, "return [process.cwd(), process.getuid(), process.getgid(), process.getgroups()]"),
    ).toEqual(["/home/app/new", 1234, 1235, expect.arrayContaining([80])]);
    const status = String(await inside(pod, `return fs.readFileSync("/proc/self/status", "utf8")`));
    expect(status).toMatch(/^CapEff:\s*0000000000000000$/m);
    expect(status).toMatch(/^CapBnd:\s*0000000000000000$/m);
    expect(
      await inside(
        pod,
        `try { fs.writeFileSync("/tmp/mine", "x"); return "written" } catch (error) { return error.code }`,
      ),
    ).toBe("written");
    await sandbox.runtime.stop(pod.uid, 0);
  });

  test("nothing in a config or a launch chooses a path of the machine", async () => {
    await using sandbox = await openSandbox(machine);
    const image = inspectorImage();
    const config = (overrides: Partial<typeof image.config>) => ({
      image: { ...image, config: { ...image.config, ...overrides } },
    });
    const hostile = [
      config({ user: "../../etc/passwd" }),
      config({ user: "-1" }),
      config({ user: "4294967295" }),
      config({ user: ":0" }),
      config({ user: "a:b:c" }),
      config({ env: ["no separator"] }),
      config({ env: ["=value"] }),
      config({ env: ["A=\0"] }),
      config({ env: [`A=${"x".repeat(200_000)}`] }),
      config({ entrypoint: [] }),
      config({ entrypoint: [""] }),
      config({ entrypoint: ["/usr/bin/node\0"] }),
      config({ workingDir: "a/../../b" }),
      config({ workingDir: `/${"a/".repeat(3000)}` }),
    ];
    for (const launch of hostile) await expect(sandbox.start(launch)).rejects.toMatchObject({ code: "IMAGE_INVALID" });
    const odd = launchOf({ uid: "../../../../etc", name: "../../name with\nnewline" });
    const pod = await sandbox.runtime.start(odd, AbortSignal.timeout(20_000));
    expect(await inside(pod, "return 4")).toBe(4);
    await sandbox.runtime.stop(odd.uid, 0);
  });

  test("an entrypoint that is /proc/self/exe cannot reach the runtime's own program", async () => {
    await using sandbox = await openSandbox(machine);
    const before = await hashOf(machine.runtime.path);
    const bang = await layer(async (directory) => {
      await writeFile(join(directory, "bang"), "#!/proc/self/exe\n", { mode: 0o755 });
    });
    for (const entrypoint of [["/proc/self/exe"], ["/bang"]]) {
      const image = inspectorImage({ entrypoint });
      const launch = launchOf({ image: { ...image, layerPaths: [...image.layerPaths, bang] } });
      const limits = { ...launch.limits, startTimeoutMs: 1500 };
      await expect(sandbox.runtime.start({ ...launch, limits }, AbortSignal.timeout(20_000))).rejects.toThrow();
    }
    expect(await hashOf(machine.runtime.path)).toBe(before);
  });

  test("an image of one layer that holds its program and nothing else runs: no /proc, /dev, /etc, /tmp", async () => {
    await using sandbox = await openSandbox(machine);
    const image = inspectorImage();
    const bare = await layer(async (directory) => {
      for (const path of image.layerPaths) await cp(path, directory, { recursive: true });
    });
    const pod = await sandbox.start({ image: { ...image, layerPaths: [bare] } });
    expect(await inside(pod, `return fs.existsSync("/proc/self") && fs.existsSync("/dev/null")`)).toBe(true);
    await sandbox.runtime.stop(pod.uid, 0);
  });
}
