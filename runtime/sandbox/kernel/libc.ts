import type * as ffiModule from "node:ffi";
import { getSystemErrorName } from "node:util";
import { Fault } from "@shallop/sdk/internal";

type Ffi = typeof ffiModule;

type SystemCallFaultCode =
  /** This Node has no node:ffi, or may not use it. */
  | "FFI_MISSING"
  /** The kernel said no. Message carries the call and the name of the error. */
  | "CALL_FAILED";

/** A system call of our own that did not succeed. */
class SystemCallFault extends Fault<SystemCallFaultCode> {}

const signatures = {
  __errno_location: { arguments: [], return: "pointer" },
  mount: { arguments: ["string", "string", "pointer", "uint64", "string"], return: "int32" },
  umount2: { arguments: ["string", "int32"], return: "int32" },
  unshare: { arguments: ["int32"], return: "int32" },
  setns: { arguments: ["int32", "int32"], return: "int32" },
  open: { arguments: ["string", "int32"], return: "int32" },
  write: { arguments: ["int32", "pointer", "uint64"], return: "int64" },
  close: { arguments: ["int32"], return: "int32" },
  mkdir: { arguments: ["string", "uint32"], return: "int32" },
  mkfifo: { arguments: ["string", "uint32"], return: "int32" },
  chdir: { arguments: ["string"], return: "int32" },
  chroot: { arguments: ["string"], return: "int32" },
  sethostname: { arguments: ["string", "uint64"], return: "int32" },
  setgroups: { arguments: ["uint64", "pointer"], return: "int32" },
  setresgid: { arguments: ["uint32", "uint32", "uint32"], return: "int32" },
  setresuid: { arguments: ["uint32", "uint32", "uint32"], return: "int32" },
  prctl: { arguments: ["int32", "uint64", "uint64", "uint64", "uint64"], return: "int32" },
  socket: { arguments: ["int32", "int32", "int32"], return: "int32" },
  bind: { arguments: ["int32", "pointer", "uint32"], return: "int32" },
  setsockopt: { arguments: ["int32", "int32", "int32", "pointer", "uint32"], return: "int32" },
  shutdown: { arguments: ["int32", "int32"], return: "int32" },
  fcntl: { arguments: ["int32", "int32", "int32"], return: "int32" },
  setrlimit: { arguments: ["int32", "pointer"], return: "int32" },
  gettid: { arguments: [], return: "int32" },
  clock_gettime: { arguments: ["int32", "pointer"], return: "int32" },
  _exit: { arguments: ["int32"], return: "void" },
  execve: { arguments: ["string", "pointer", "pointer"], return: "int32" },
  syscall: { arguments: ["int64", "int64", "int64", "int64", "int64", "int64"], return: "int64" },
} as const;

function load(ffi: Ffi) {
  // Of the running program, so that it is the same library whatever its name is.
  return ffi.dlopen(null, signatures).functions;
}

type Functions = ReturnType<typeof load>;

/** The C library of this process, as far as processes are locked down and looked at with it. Linux on x86-64 and arm64 only. */
export class Libc {
  readonly #ffi: Ffi;
  readonly #functions: Functions;

  private constructor(ffi: Ffi) {
    this.#ffi = ffi;
    this.#functions = load(ffi);
  }

  /** @throws SystemCallFault FFI_MISSING */
  static load(): Libc {
    try {
      const ffi = process.getBuiltinModule("node:ffi") as Ffi | undefined;
      if (ffi !== undefined) return new Libc(ffi);
    } catch (cause) {
      throw new SystemCallFault("FFI_MISSING", "node:ffi cannot be used", { cause });
    }
    throw new SystemCallFault("FFI_MISSING", "this Node has no node:ffi");
  }

  get functions(): Functions {
    return this.#functions;
  }

  /** The address of bytes, which the caller keeps alive while the kernel looks at them. */
  addressOf(bytes: Uint8Array): bigint {
    return this.#ffi.getRawPointer(bytes);
  }

  /** A system call that the C library has no function for. */
  call(number: number, ...given: readonly (number | bigint)[]): bigint {
    const [a = 0, b = 0, c = 0, d = 0, e = 0] = given;
    return this.#functions.syscall(BigInt(number), BigInt(a), BigInt(b), BigInt(c), BigInt(d), BigInt(e));
  }

  /** Returns `result`. @throws SystemCallFault CALL_FAILED unless it is 0 or more */
  check(what: string, result: number | bigint): number {
    if (result >= 0) return Number(result);
    throw new SystemCallFault("CALL_FAILED", `${what}: ${this.#errorName()}`);
  }

  #errorName(): string {
    const number = this.#ffi.getInt32(this.#functions.__errno_location());
    return number > 0 ? getSystemErrorName(-number) : "failed";
  }
}
