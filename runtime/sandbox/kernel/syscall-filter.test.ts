import { expect, test } from "vitest";
import { openingFilter, syscallFilter } from "./syscall-filter.ts";

const allow = 0x7fff_0000;
const errno = (number: number): number => 0x0005_0000 | number;
const kill = 0x8000_0000;
const x64 = 0xc000_003e;
const arm64 = 0xc000_00b7;
const pid = 4242;

/** What the kernel would answer: seccomp(2), struct seccomp_data and classic BPF. */
function run(filter: Uint8Array, number: number, args: readonly bigint[] = [], arch = x64): number {
  const data = Buffer.alloc(64);
  data.writeUInt32LE(number, 0);
  data.writeUInt32LE(arch, 4);
  for (const [index, arg] of args.entries()) data.writeBigUInt64LE(arg, 16 + 8 * index);
  const program = Buffer.from(filter);
  let loaded = 0;
  for (let at = 0; at < program.length / 8; at++) {
    const code = program.readUInt16LE(at * 8);
    const [ifTrue, ifFalse] = [program.readUInt8(at * 8 + 2), program.readUInt8(at * 8 + 3)];
    const value = program.readUInt32LE(at * 8 + 4);
    if (code === 0x20) loaded = data.readUInt32LE(value);
    else if (code === 0x54) loaded = (loaded & value) >>> 0;
    else if (code === 0x15) at += loaded === value ? ifTrue : ifFalse;
    else if (code === 0x35) at += loaded >= value ? ifTrue : ifFalse;
    else if (code === 0x06) return value;
    else throw new Error(`unknown instruction ${code}`);
  }
  throw new Error("the program has no end");
}

const host = syscallFilter("host", "x64", pid);
const jail = syscallFilter("jail", "x64", pid);

test.each([
  ["read", 0, []],
  ["mmap", 9, []],
  ["open for reading", 2, [0n, 0n]],
  ["openat for reading, close on exec", 257, [0n, 0n, 0o2_000_000n]],
  ["socket of AF_UNIX", 41, [1n]],
  ["a thread", 56, [0x3d_0f00n]],
  ["asking for a limit", 302, [0n, 7n, 0n]],
  ["tgkill of itself", 234, [BigInt(pid)]],
  ["PAGEMAP_SCAN", 16, [5n, 0xc060_6610n]],
  ["memfd_create", 319, []],
] as const)("a host process may: %s", (_, number, args) => {
  expect(run(host, number, args)).toBe(allow);
});

test.each([
  ["open for writing", 2, [0n, 1n]],
  ["openat that makes", 257, [0n, 0n, 0o100n]],
  ["openat of a nameless file", 257, [0n, 0n, 0o20_200_000n]],
  ["socket of AF_INET", 41, [2n]],
  ["socket of AF_NETLINK", 41, [16n]],
  ["socket of AF_PACKET", 41, [17n]],
  ["socket whose family hides behind 32 bits", 41, [0x1_0000_0002n]],
  ["fork", 57, []],
  ["clone of a process", 56, [17n]],
  ["a thread in a new namespace", 56, [0x1000_0000n | 0x3d_0f00n]],
  ["execve", 59, []],
  ["execveat", 322, []],
  ["ptrace", 101, []],
  ["kill", 62, []],
  ["tgkill of another", 234, [1n]],
  ["setting a limit", 302, [0n, 7n, 0x1_0000_0000n]],
  ["an ioctl that pushes into a terminal (TIOCSTI)", 16, [0n, 0x5412n]],
  ["symlink", 88, []],
  ["mkdir", 83, []],
  ["chmod", 90, []],
  ["io_uring_setup", 425, []],
  ["a call that nobody knows yet", 600, []],
  ["read by its x32 number", 0x4000_0000, []],
] as const)("a host process may not: %s", (_, number, args) => {
  expect(run(host, number, args)).toBe(errno(1));
});

test("clone3, whose flags nobody sees, is not there", () => {
  expect(run(host, 435)).toBe(errno(38));
});

test("calls of another architecture end the process", () => {
  expect(run(host, 0, [], 0x4000_0003)).toBe(kill);
});

test("a jail has no sockets and changes no files; a module's process changes files; the way out has the internet", () => {
  for (const number of [41, 42, 49, 82, 87, 319]) expect(run(jail, number, [1n])).toBe(errno(1));
  const module = syscallFilter("module", "x64", pid);
  expect([run(module, 257, [0n, 0n, 0o101n]), run(module, 266), run(module, 41, [1n])]).toEqual([
    allow,
    allow,
    errno(1),
  ]);
  const egress = syscallFilter("egress", "x64", pid);
  expect([1n, 2n, 10n, 16n, 17n].map((family) => run(egress, 41, [family]))).toEqual([
    ...Array<number>(4).fill(allow),
    errno(1),
  ]);
});

test("a component by itself changes files and takes connections, and makes no socket unless it was granted hosts", () => {
  const component = syscallFilter("component", "x64", pid);
  // openat for writing, accept4, memfd_create.
  expect([run(component, 257, [0n, 0n, 0o101n]), run(component, 288), run(component, 319)]).toEqual(
    Array(3).fill(allow),
  );
  // socket, connect, bind, execve.
  for (const number of [41, 42, 49, 59]) expect(run(component, number, [2n])).toBe(errno(1));
  const online = syscallFilter("online-component", "x64", pid);
  expect([run(online, 41, [2n]), run(online, 42), run(online, 41, [17n])]).toEqual([allow, allow, errno(1)]);
});

test("only a host whose pod has a volume to write to writes files", () => {
  const [host, writing] = [syscallFilter("host", "x64", pid), syscallFilter("writing-host", "x64", pid)];
  // openat for writing, mkdir, symlink.
  const calls = [[257, [0n, 0n, 0o101n]], [83], [88]] as const;
  const answers = (filter: Uint8Array): number[] =>
    calls.map(([number, words = []]) => run(filter, number, [...words]));
  expect([answers(host), answers(writing)]).toEqual([Array(3).fill(errno(1)), Array(3).fill(allow)]);
  // socket of the internet, execve, mount, chmod.
  for (const number of [41, 59, 165, 90]) expect(run(writing, number, [2n])).toBe(errno(1));
});

test("on arm64 the numbers are its own", () => {
  const filter = syscallFilter("host", "arm64", pid);
  expect(run(filter, 63, [], arm64)).toBe(allow);
  expect(run(filter, 221, [], arm64)).toBe(errno(1));
  expect(run(filter, 56, [0n, 0n, 1n], arm64)).toBe(errno(1));
});

test("before a program has started only io_uring is not there", () => {
  expect([425, 426, 427].map((number) => run(openingFilter(), number))).toEqual(Array(3).fill(errno(38)));
  expect([0, 59, 424, 428].map((number) => run(openingFilter(), number))).toEqual(Array(4).fill(allow));
});
