/**
 * Ways out of containers that have worked somewhere, as programs for a pod made of the inspector's image: each returns
 * what it managed to do, or the name of the error that stopped it.
 */
export interface EscapeAttempt {
  readonly name: string;
  readonly body: string;
  /** What a container answers that holds: error names, or a value. */
  readonly held: readonly (string | number | boolean)[];
  /** The same where all that a security context can loosen is loosened. */
  readonly heldPrivileged?: readonly (string | number | boolean)[];
}

/** In front of each body: `call(number on x86-64, number on arm64, …)` → 0 or more, or the error's name. */
export const escapeTools = `
const { default: ffi } = await import("node:ffi");
const { getSystemErrorName } = await import("node:util");
const { functions } = ffi.dlopen(null, {
  syscall: { arguments: ["i64", "i64", "i64", "i64", "i64", "i64"], return: "i64" },
  mount: { arguments: ["string", "string", "string", "u64", "string"], return: "i32" },
  __errno_location: { arguments: [], return: "pointer" } });
const outcome = (result) => Number(result) >= 0 ? Number(result) : getSystemErrorName(-ffi.getInt32(functions.__errno_location()));
const kept = [];
const text = (value) => { const bytes = Buffer.from(value + "\\0"); kept.push(bytes); return BigInt(ffi.getRawPointer(bytes)); };
const call = (x64, arm64, ...args) => {
  const values = args.map(BigInt).concat(0n, 0n, 0n, 0n, 0n).slice(0, 5);
  return outcome(functions.syscall(BigInt(process.arch === "x64" ? x64 : arm64), ...values));
};
const mount = (source, target, type, data = "") => {
  fs.mkdirSync(target, { recursive: true });
  return outcome(functions.mount(source, target, type, 0n, data));
};
const attempt = (act) => { try { const value = act(); return value === undefined ? "done" : value; } catch (error) { return error.code ?? String(error); } };
const write = (path, value) => attempt(() => fs.writeFileSync(path, value));
`;

const refusals = ["EPERM", "EACCES", "EROFS"];
const absent = [...refusals, "ENOENT"];

export const escapeAttempts: readonly EscapeAttempt[] = [
  {
    // What runs the container is replaced while it runs: opened through /proc, by whoever it belongs to.
    name: "CVE-2019-5736: writing to the program behind /proc/*/exe",
    body: `const results = fs.readdirSync("/proc").filter((name) => /^(\\d+|self|thread-self)$/.test(name))
        .map((pid) => attempt(() => { fs.closeSync(fs.openSync("/proc/" + pid + "/exe", "r+")); }));
      return results.find((result) => !["EROFS", "ETXTBSY", "EACCES", "EPERM", "ENOENT"].includes(result)) ?? "held";`,
    held: ["held"],
  },
  {
    name: "CVE-2024-21626: a descriptor of the machine's file tree",
    body: `const seen = fs.readdirSync("/proc/1/fd").map(Number).filter((fd) => {
        const status = attempt(() => fs.statSync("/proc/1/fd/" + fd));
        return typeof status === "object" && status.isDirectory() && !fs.readlinkSync("/proc/1/fd/" + fd).startsWith("/proc"); });
      return seen.length;`,
    held: [0],
  },
  {
    name: "CVE-2025-31133, -52881, 2019-19921: core_pattern, which the machine runs as root",
    body: `return write("/proc/sys/kernel/core_pattern", "|/evil");`,
    held: refusals,
  },
  {
    name: "CVE-2016-9962: tracing what starts a program in the container",
    body: `return call(101, 117, 16, 1);`,
    held: ["EPERM"],
    // It is process 1 of its own namespace, and itself: there is nobody to trace.
    heldPrivileged: ["EPERM", "ESRCH"],
  },
  {
    name: "CVE-2020-15257: abstract sockets of the machine",
    body: `return fs.readFileSync("/proc/net/unix", "utf8").split("\\n").filter((line) => line.includes("@")).length;`,
    held: [0],
  },
  {
    name: "CVE-2022-0492: a program of the container's as release_agent",
    body: `const mounted = mount("none", "/tmp/cgroup", "cgroup", "memory");
      if (mounted !== 0) return mounted;
      return attempt(() => { fs.writeFileSync("/tmp/cgroup/release_agent", "/evil"); });`,
    held: ["EPERM"],
    // A kernel that has v2 only knows no such file system.
    heldPrivileged: [...absent, "EINVAL"],
  },
  {
    name: "CVE-2022-0185: a file system of a disk, by fsopen",
    body: `const context = call(430, 430, text("ext4"), 0);
      return typeof context === "string" ? context : call(431, 431, context, 6, 0, 0, 0);`,
    held: ["EPERM"],
  },
  {
    name: "Shocker: a file of the machine by its handle",
    body: `const handle = Buffer.alloc(16); handle.writeUInt32LE(8, 0); handle.writeUInt32LE(1, 4); handle.writeUInt32LE(2, 8); kept.push(handle);
      return call(304, 265, attempt(() => fs.openSync("/", "r")), BigInt(ffi.getRawPointer(handle)), 0);`,
    held: ["EPERM"],
  },
  {
    name: "keys of the machine's users",
    body: `const key = call(248, 217, text("user"), text("shallop"), text("x"), 1, -3n);
      return typeof key === "number" ? "of its own session" : key;`,
    held: ["EPERM"],
    // Each container has a session of its own.
    heldPrivileged: ["of its own session"],
  },
  {
    name: "CVE-2021-22555: a user namespace inside",
    body: `return call(272, 97, 0x10000000);`,
    held: ["EPERM"],
    heldPrivileged: ["EINVAL"],
  },
  {
    name: "the disk as a device",
    body: `return call(133, -1, text("/tmp/disk"), 0o60600, (254 << 8) | 0);`,
    held: refusals,
  },
  { name: "memory of the machine", body: `return attempt(() => { fs.openSync("/dev/mem", "r"); });`, held: absent },
  {
    name: "the kernel's memory",
    body: `return attempt(() => fs.readFileSync("/proc/kcore").length);`,
    held: [0, ...absent],
    heldPrivileged: absent,
  },
  { name: "sysrq", body: `return write("/proc/sysrq-trigger", "h");`, held: absent },
  {
    name: "uevent_helper, which the machine runs as root",
    body: `return write("/sys/kernel/uevent_helper", "/evil");`,
    held: absent,
  },
  { name: "modprobe's path", body: `return write("/proc/sys/kernel/modprobe", "/evil");`, held: absent },
  {
    name: "a module",
    body: `return call(175, 105, 0, 0, text(""));`,
    held: ["EPERM"],
    // A kernel without modules.
    heldPrivileged: ["EPERM", "ENOSYS"],
  },
  {
    name: "reboot",
    body: `return call(169, 142, 0xfee1dead, 672274793, 0x0);`,
    held: ["EPERM"],
    // Its own process namespace is what it could restart, and not by this command.
    heldPrivileged: ["EPERM", "EINVAL"],
  },
  { name: "a program of bpf", body: `return call(321, 280, 5, 0, 0);`, held: ["EPERM"], heldPrivileged: ["EPERM"] },
  {
    name: "the machine's clock",
    body: `const now = Buffer.alloc(16); now.writeBigInt64LE(BigInt(Math.floor(Date.now() / 1000))); kept.push(now);
      return call(227, 112, 0, BigInt(ffi.getRawPointer(now)));`,
    held: ["EPERM"],
  },
  {
    name: "a process of the machine",
    body: `return attempt(() => { process.kill(${process.pid}, 0); });`,
    held: ["ESRCH"],
  },
  {
    name: "the machine's mounts through another root",
    body: `return attempt(() => fs.readdirSync("/proc/1/root/run/shallop").length);`,
    held: ["ENOENT"],
  },
  {
    name: "another file system over the container's own /proc",
    body: `return mount("none", "/proc", "tmpfs");`,
    held: ["EPERM"],
    // It is its own, and its own loss.
    heldPrivileged: [0],
  },
];
