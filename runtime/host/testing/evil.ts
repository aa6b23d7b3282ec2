// What a guest would try that has broken out of V8: loaded into a real host process by a test, it waits until the process
// is closed in, then tries what it is told about over a socket of its own, and says what came of each. x86-64 only.
import { execFileSync } from "node:child_process";
import { createSocket } from "node:dgram";
import * as fs from "node:fs";
import { connect, createServer } from "node:net";
import { dirname, join } from "node:path";
import { getSystemErrorName } from "node:util";
import { isMainThread } from "node:worker_threads";
import { errorCode } from "@shallop/sdk/internal";
import { Libc } from "../../sandbox/kernel/libc.ts";

/** What there is to be had outside, which the test knows of. */
export interface Temptations {
  readonly otherDirectory: string;
  readonly otherComponents: string;
  readonly otherPid: number;
  readonly ownPid: number;
  readonly runDirectory: string;
  readonly secretFile: string;
  readonly ownCode: string;
  readonly tcpPort: number;
  readonly udpPort: number;
  readonly unixSocket: string;
  readonly abstractSocket: string;
}

/** Each probe's name, and the error that it met; `done` when it did what it wanted. */
export type Findings = Readonly<Record<string, string>>;

type Probe = (found: Temptations) => unknown;

const directory = dirname(process.argv.at(process.argv.indexOf("--socket") + 1) ?? "/");
const kept: Buffer[] = [];
const libc = isMainThread ? Libc.load() : undefined;

function call(number: number, ...args: readonly (number | bigint | string)[]): string {
  if (libc === undefined) return "no libc";
  const values = args.map((arg) => {
    if (typeof arg !== "string") return arg;
    const bytes = Buffer.from(`${arg}\0`);
    kept.push(bytes);
    return libc.addressOf(bytes);
  });
  try {
    const result = libc.call(number, ...values);
    libc.check("call", result);
    return "done";
  } catch (error) {
    return error instanceof Error ? error.message.replace("call: ", "") : "failed";
  }
}

const scratch = Buffer.alloc(4096);
const scratchAt = (): bigint => libc?.addressOf(scratch) ?? 0n;

const files: Readonly<Record<string, Probe>> = {
  "read /etc/passwd": () => fs.readFileSync("/etc/passwd"),
  "read /etc/shadow through /proc/1/root": () => fs.readFileSync("/proc/1/root/etc/shadow"),
  "climb out by ..": () => fs.readFileSync("/proc/self/root/../../../../etc/passwd"),
  "read a file of the machine": ({ secretFile }) => fs.readFileSync(secretFile),
  "list another tenant's sockets": ({ otherDirectory }) => fs.readdirSync(otherDirectory),
  "list another tenant's components": ({ otherComponents }) => fs.readdirSync(otherComponents),
  "see another tenant in /proc": ({ otherPid }) => fs.readFileSync(`/proc/${otherPid}/status`),
  "see itself in /proc by the machine's number": ({ ownPid }) => fs.readFileSync(`/proc/${ownPid}/status`),
  "read /proc/kcore": () => fs.openSync("/proc/kcore", "r"),
  "read /proc/sys": () => fs.readFileSync("/proc/sys/kernel/core_pattern"),
  "read /sys": () => fs.readdirSync("/sys"),
  "open /dev/mem": () => fs.openSync("/dev/mem", "r"),
  "write our code": ({ ownCode }) => fs.appendFileSync(ownCode, "\n// evil"),
  "write Node": () => fs.openSync(process.execPath, "r+"),
  "make a file": () => fs.writeFileSync(join(directory, "file"), "x"),
  "make a directory": () => fs.mkdirSync(join(directory, "dir")),
  "make a link for the gateway to follow": ({ unixSocket }) => fs.symlinkSync(unixSocket, join(directory, "link")),
  "make a hard link": () => fs.linkSync(join(directory, "host.sock"), join(directory, "hard")),
  "change rights": () => fs.chmodSync(directory, 0o777),
  "change an owner": () => fs.chownSync(directory, 0, 0),
  "make a device": () => call(133, join(directory, "dev"), 0o20666, 0x101),
  truncate: ({ ownCode }) => call(76, ownCode, 0),
};

const processes: Readonly<Record<string, Probe>> = {
  "start a program": () => execFileSync(process.execPath, ["--version"]),
  execve: () => call(59, process.execPath, 0, 0),
  "execveat of a file in memory": () => call(322, 0, "", 0, 0, 0x1000),
  fork: () => call(57),
  "clone a process": () => call(56, 17, 0, 0, 0, 0),
  clone3: () => call(435, scratchAt(), 88),
  "kill another": ({ otherPid }) => process.kill(otherPid, "SIGKILL"),
  "kill everybody": () => call(62, -1, 9),
  tkill: ({ otherPid }) => call(200, otherPid, 9),
  pidfd_open: ({ otherPid }) => call(434, otherPid, 0),
  ptrace: ({ otherPid }) => call(101, 16, otherPid, 0, 0),
  process_vm_readv: ({ otherPid }) => call(310, otherPid, scratchAt(), 1, scratchAt(), 1),
  process_vm_writev: ({ otherPid }) => call(311, otherPid, scratchAt(), 1, scratchAt(), 1),
  kcmp: ({ otherPid }) => call(312, 1, otherPid, 0, 0, 0),
  "become root": () => call(105, 0),
  setresuid: () => call(117, 0, 0, 0),
  setresgid: () => call(119, 0, 0, 0),
  setgroups: () => call(116, 0, 0),
  capset: () => call(126, scratchAt(), scratchAt()),
  personality: () => call(135, 0x0040_0000),
  "raise a limit": () => call(302, 0, 7, scratchAt(), 0),
  setpriority: () => call(141, 0, 0, -20),
  sched_setaffinity: () => call(203, 0, 8, scratchAt()),
  "be dumpable": () => call(157, 4, 1, 0, 0, 0),
};

const kernel: Readonly<Record<string, Probe>> = {
  mount: () => call(165, "none", "/proc", "tmpfs", 0, 0),
  umount2: () => call(166, "/proc", 2),
  pivot_root: () => call(155, "/", "/proc"),
  chroot: () => call(161, "/proc"),
  open_tree: () => call(428, -100, "/", 1),
  fsopen: () => call(430, "tmpfs", 0),
  move_mount: () => call(429, -100, "/", -100, "/proc", 0),
  mount_setattr: () => call(442, -100, "/", 0, scratchAt(), 32),
  unshare: () => call(272, 0x1000_0000),
  setns: () => call(308, 0, 0),
  bpf: () => call(321, 0, scratchAt(), 48),
  perf_event_open: () => call(298, scratchAt(), 0, -1, -1, 0),
  keyctl: () => call(250, 0, -3, 1),
  add_key: () => call(248, "user", "k", scratchAt(), 1, -3),
  userfaultfd: () => call(323, 1),
  io_uring_setup: () => call(425, 8, scratchAt()),
  init_module: () => call(175, scratchAt(), 16, ""),
  finit_module: () => call(313, 0, "", 0),
  delete_module: () => call(176, "loop", 0),
  kexec_load: () => call(246, 0, 0, 0, 0),
  // The magic numbers are wrong: where it is not refused, nothing happens.
  reboot: () => call(169, 0, 0, 0, 0),
  swapon: () => call(167, "/proc", 0),
  settimeofday: () => call(164, scratchAt(), 0),
  clock_settime: () => call(227, 0, scratchAt()),
  adjtimex: () => call(159, scratchAt()),
  sethostname: () => call(170, "evil", 4),
  quotactl: () => call(179, 0x8000_0700, "/", 0, scratchAt()),
  name_to_handle_at: () => call(303, -100, "/", scratchAt(), scratchAt(), 0),
  open_by_handle_at: () => call(304, -100, scratchAt(), 0),
  acct: () => call(163, 0),
  syslog: () => call(103, 3, scratchAt(), 100),
  iopl: () => call(172, 3),
  ioperm: () => call(173, 0, 1, 1),
  fanotify_init: () => call(300, 0, 0),
  inotify_init1: () => call(294, 0),
  shmget: () => call(29, 0, 4096, 0o1600),
  msgget: () => call(68, 0, 0o1600),
  mq_open: () => call(240, "evil", 0o102, 0o600, 0),
  memfd_secret: () => call(447, 0),
  move_pages: ({ otherPid }) => call(279, otherPid, 0, 0, 0, 0),
  "push into a terminal (TIOCSTI)": () => call(16, 0, 0x5412, scratchAt()),
};

const network: Readonly<Record<string, Probe>> = {
  "connect by TCP": ({ tcpPort }) => settled(connect(tcpPort, "127.0.0.1"), "connect"),
  "connect by TCP over IPv6": ({ tcpPort }) => settled(connect(tcpPort, "::1"), "connect"),
  "send by UDP": ({ udpPort }) =>
    new Promise((resolve, reject) => {
      const socket = createSocket("udp4");
      socket.once("error", reject);
      socket.send("evil", udpPort, "127.0.0.1", (error) => (error === null ? resolve(undefined) : reject(error)));
    }),
  "connect to a socket of the machine": ({ unixSocket }) => settled(connect(unixSocket), "connect"),
  "connect to an abstract socket": ({ abstractSocket }) => settled(connect(`\0${abstractSocket}`), "connect"),
  "listen on TCP": () => settled(createServer().listen(0), "listening"),
  "socket AF_INET raw": () => call(41, 2, 3, 1),
  "socket AF_NETLINK": () => call(41, 16, 3, 0),
  "socket AF_PACKET": () => call(41, 17, 3, 0x300),
  "socket AF_ALG": () => call(41, 38, 5, 0),
  "socket AF_VSOCK": () => call(41, 40, 1, 0),
  "socket AF_BLUETOOTH": () => call(41, 31, 3, 1),
};

function settled(emitter: NodeJS.EventEmitter, done: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    emitter.once("error", reject);
    emitter.once(done, resolve);
  });
}

async function outcome(probe: Probe, found: Temptations): Promise<string> {
  try {
    const result = await probe(found);
    return typeof result === "string" ? result : "done";
  } catch (error) {
    const errno = (error as { readonly errno?: unknown }).errno;
    return errorCode(error) ?? (typeof errno === "number" ? getSystemErrorName(errno) : String(error));
  }
}

async function tryAll(found: Temptations): Promise<Findings> {
  const findings: Record<string, string> = {};
  for (const [name, probe] of Object.entries({ ...files, ...processes, ...kernel, ...network })) {
    findings[name] = await outcome(probe, found);
  }
  return findings;
}

if (isMainThread) {
  const server = createServer((socket) => {
    socket.setEncoding("utf8").once("data", (text: string) => {
      void tryAll(JSON.parse(text) as Temptations).then((findings) => socket.end(JSON.stringify(findings)));
    });
  });
  server.listen(join(directory, "evil.sock"));
  server.unref();
}
