import { assert } from "@shallop/sdk/internal";
import { type FilterArch, syscallNumber, type SyscallName } from "./syscall-numbers.ts";

/** What a process is for, as far as system calls go. */
export type FilterPurpose =
  /** Guests behind unix sockets: files are read, sockets made in a directory of its own. */
  | "host"
  /** The same, with volumes of a pod that may be written to. */
  | "writing-host"
  /** Bytes in, bytes out: files are read, nothing else. */
  | "jail"
  /** A module of preview 1: files of the directories it was granted. */
  | "module"
  /** A component by itself: the same files, and connections to a socket that it was given. */
  | "component"
  /** A component that was granted hosts. */
  | "online-component"
  /** The way out: sockets of the internet too. */
  | "egress";

/** A test of one argument; all of a call's have to hold. 32 bits of it are looked at unless it is `isZero`. */
type Test =
  | { readonly argument: number; readonly oneOf: readonly number[] }
  /** `value & mask === wanted` */
  | { readonly argument: number; readonly mask: number; readonly wanted: number }
  | { readonly argument: number; readonly isZero: true };

interface Rule {
  readonly call: SyscallName;
  readonly tests: readonly Test[];
  /** What the call answers instead of being made; undefined: it is made. */
  readonly errno?: number;
}

const plain = (calls: readonly SyscallName[]): readonly Rule[] => calls.map((call) => ({ call, tests: [] }));
const when = (call: SyscallName, ...tests: readonly Test[]): Rule => ({ call, tests });

const unixFamily = 1;
const internetFamilies = [unixFamily, 2, 10, 16]; // unix, IPv4, IPv6, netlink: getaddrinfo asks it for the addresses

const threadFlag = 0x1_0000;
const namespaceFlags = 0x7e02_0000;
// O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_APPEND, and the bit of O_TMPFILE that is no other's.
const writingFlags = 0x1 | 0x2 | 0o100 | 0o1000 | 0o2000 | 0o20_000_000;
const noSuchCall = 38;

// What V8 and libuv do in any process: memory, threads, clocks, waiting, files that are open.
const always: readonly Rule[] = [
  ...plain(["read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "lseek", "close"]),
  ...plain(["fstat", "newfstatat", "stat", "lstat", "statx", "statfs", "fstatfs", "access", "faccessat", "faccessat2"]),
  ...plain(["readlink", "readlinkat", "getdents64", "getcwd", "fcntl", "dup", "dup2", "dup3", "pipe", "pipe2"]),
  ...plain(["mmap", "mprotect", "munmap", "mremap", "brk", "madvise", "pkey_mprotect", "pkey_alloc", "pkey_free"]),
  ...plain(["rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "restart_syscall"]),
  ...plain(["futex", "membarrier", "rseq", "set_robust_list", "set_tid_address", "sched_yield", "sched_getaffinity"]),
  ...plain(["sched_getparam", "sched_getscheduler", "sched_get_priority_max", "sched_get_priority_min"]),
  ...plain(["nanosleep", "clock_nanosleep", "clock_gettime", "clock_getres", "gettimeofday", "times", "getrusage"]),
  ...plain(["getpid", "getppid", "gettid", "getuid", "geteuid", "getgid", "getegid", "uname", "sysinfo", "getrlimit"]),
  ...plain(["epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "eventfd2", "poll", "ppoll"]),
  ...plain(["getrandom", "exit", "exit_group"]),
  // What standard input and output are is asked of them; they may be sockets.
  ...plain(["getsockname", "getpeername", "getsockopt", "shutdown"]),
  // A thread, and neither a process nor a namespace. The flags of clone3 are out of a filter's sight; without it the C
  // library calls clone.
  when(
    "clone",
    { argument: 0, mask: threadFlag, wanted: threadFlag },
    { argument: 0, mask: namespaceFlags, wanted: 0 },
  ),
  { call: "clone3", tests: [], errno: noSuchCall },
  // Asks for limits, sets none.
  when("prlimit64", { argument: 2, isZero: true }),
  // PR_SET_NAME, PR_GET_NAME, and names of mappings (PR_SET_VMA).
  when("prctl", { argument: 0, oneOf: [15, 16, 0x5356_4d41] }),
  // Another filter on top of this one makes it narrower.
  ...plain(["seccomp"]),
];

// FIOCLEX, FIONCLEX, FIONBIO, FIONREAD; terminals are asked what they are (TCGETS, TIOCGWINSZ); PAGEMAP_SCAN.
const control = when("ioctl", {
  argument: 1,
  oneOf: [0x5451, 0x5450, 0x5421, 0x541b, 0x5401, 0x5413, 0xc060_6610],
});

const readFiles: readonly Rule[] = [
  when("open", { argument: 1, mask: writingFlags, wanted: 0 }),
  when("openat", { argument: 2, mask: writingFlags, wanted: 0 }),
];

const writeFiles: readonly Rule[] = [
  ...plain(["open", "openat", "mkdir", "mkdirat", "rmdir", "unlink", "unlinkat", "rename", "renameat", "renameat2"]),
  ...plain(["link", "linkat", "symlink", "symlinkat", "utimensat", "ftruncate", "fallocate", "fadvise64"]),
  ...plain(["fsync", "fdatasync"]),
];

// What is done with sockets that are there.
const openSockets = plain([
  ...["accept4", "listen", "setsockopt", "sendto", "sendmsg", "recvfrom", "recvmsg"],
] as const satisfies readonly SyscallName[]);

const sockets = (families: readonly number[]): readonly Rule[] => [
  when("socket", { argument: 0, oneOf: families }),
  when("socketpair", { argument: 0, oneOf: [unixFamily] }),
  ...plain(["connect", "bind", "listen", "accept4", "setsockopt"]),
  ...plain(["sendto", "sendmsg", "sendmmsg", "recvfrom", "recvmsg", "recvmmsg"]),
  // Sockets get their names by a rename, and go.
  ...plain(["unlink", "unlinkat", "rename", "renameat", "renameat2"]),
];

const rulesFor: Readonly<Record<FilterPurpose, readonly Rule[]>> = {
  host: [...always, control, ...readFiles, ...sockets([unixFamily]), ...plain(["memfd_create", "ftruncate"])],
  "writing-host": [...always, control, ...writeFiles, ...sockets([unixFamily]), ...plain(["memfd_create"])],
  jail: [...always, control, ...readFiles],
  module: [...always, control, ...writeFiles],
  component: [...always, control, ...writeFiles, ...openSockets, ...plain(["memfd_create"])],
  "online-component": [...always, control, ...writeFiles, ...sockets(internetFamilies), ...plain(["memfd_create"])],
  egress: [...always, control, ...readFiles, ...sockets(internetFamilies)],
};

// <linux/bpf_common.h>, <linux/seccomp.h>, <linux/audit.h>
const load = 0x20;
const and = 0x54;
const jumpIfEqual = 0x15;
const jumpIfAtLeast = 0x35;
const answer = 0x06;
const allowed = 0x7fff_0000;
const killed = 0x8000_0000;
const refusedWith = (errno: number): number => 0x0005_0000 | errno;
const notPermitted = 1;
const audit: Readonly<Record<FilterArch, number>> = { x64: 0xc000_003e, arm64: 0xc000_00b7 };
// x32 calls on x86-64 have this bit; they are the same calls by other numbers.
const x32Bit = 0x4000_0000;
const numberOffset = 0;
const archOffset = 4;
const argumentOffset = (argument: number): number => 16 + 8 * argument;

interface Instruction {
  readonly code: number;
  readonly ifTrue: number;
  readonly ifFalse: number;
  readonly value: number;
}
const step = (code: number, value: number, ifTrue = 0, ifFalse = 0): Instruction => ({ code, ifTrue, ifFalse, value });

/**
 * For the time before a program has started: everything but io_uring, for a ring that libuv opens now would be one that
 * it cannot do without later. No such call, it says, and libuv takes epoll.
 */
export function openingFilter(): Uint8Array {
  const ringCalls = [425, 426, 427];
  return encode([
    step(load, numberOffset),
    ...ringCalls.map((number, index) => step(jumpIfEqual, number, ringCalls.length - index, 0)),
    step(answer, allowed),
    step(answer, refusedWith(noSuchCall)),
  ]);
}

/** `tgkill` reaches the threads of `pid` only, which is the process's own id. */
export function syscallFilter(purpose: FilterPurpose, arch: FilterArch, pid: number): Uint8Array {
  const rules = [...rulesFor[purpose], when("tgkill", { argument: 0, oneOf: [pid] })];
  const program = [
    step(load, archOffset),
    step(jumpIfEqual, audit[arch], 1, 0),
    step(answer, killed),
    step(load, numberOffset),
    ...(arch === "x64" ? [step(jumpIfAtLeast, x32Bit, 0, 1), step(answer, refusedWith(notPermitted))] : []),
    ...rules.flatMap((rule) => ruleSteps(rule, arch)),
    step(answer, refusedWith(notPermitted)),
  ];
  return encode(program);
}

/** Expects the number to be loaded, and goes on behind itself with it loaded when the call is another one. */
function ruleSteps(rule: Rule, arch: FilterArch): readonly Instruction[] {
  const number = syscallNumber(rule.call, arch);
  if (number === undefined) return [];
  const body = [
    ...rule.tests.flatMap(testSteps),
    step(answer, rule.errno === undefined ? allowed : refusedWith(rule.errno)),
  ];
  assert(body.length < 256, `a rule for ${rule.call} is too long for a jump`);
  return [step(jumpIfEqual, number, 0, body.length), ...body];
}

/** Goes on behind itself when the test holds; ends the call with EPERM otherwise. */
function testSteps(test: Test): readonly Instruction[] {
  const refuse = step(answer, refusedWith(notPermitted));
  const low = argumentOffset(test.argument);
  if ("isZero" in test) {
    return [
      step(load, low),
      step(jumpIfEqual, 0, 1, 0),
      refuse,
      step(load, low + 4),
      step(jumpIfEqual, 0, 1, 0),
      refuse,
    ];
  }
  if ("mask" in test) {
    return [step(load, low), step(and, test.mask), step(jumpIfEqual, test.wanted, 1, 0), refuse];
  }
  const { oneOf } = test;
  return [step(load, low), ...oneOf.map((value, index) => step(jumpIfEqual, value, oneOf.length - index, 0)), refuse];
}

/** struct sock_filter: code, jt, jf, k. */
function encode(program: readonly Instruction[]): Uint8Array {
  const bytes = Buffer.alloc(program.length * 8);
  for (const [index, { code, ifTrue, ifFalse, value }] of program.entries()) {
    bytes.writeUInt16LE(code, index * 8);
    bytes.writeUInt8(ifTrue, index * 8 + 2);
    bytes.writeUInt8(ifFalse, index * 8 + 3);
    bytes.writeUInt32LE(value >>> 0, index * 8 + 4);
  }
  return bytes;
}
