/**
 * WASI while a function's top level runs at build time: time stands still, chance is a constant, output is kept for the
 * error message, and there is no network and no file. What a top level may not do traps with a sentence.
 */
export interface BuildHost {
  readonly imports: unknown;
  /** What the guest has printed, led by a newline; empty when it was nothing. */
  output(): string;
}

/** Midnight of 2026-01-01: a date that no program takes for broken. */
const buildTime = { seconds: 1_767_225_600n, nanoseconds: 0 };

/** More of a failing function's output than this helps nobody. */
const outputBytesMax = 16 * 1024;

export function buildHost(): BuildHost {
  let output = "";
  class OutputStream {
    checkWrite(): bigint {
      return BigInt(outputBytesMax);
    }
    write(bytes: Uint8Array): void {
      if (output.length < outputBytesMax) output += new TextDecoder().decode(bytes);
    }
    blockingWriteAndFlush(bytes: Uint8Array): void {
      this.write(bytes);
    }
    flush(): void {
      // Everything is written at once.
    }
    blockingFlush(): void {
      this.flush();
    }
  }
  const known: Record<string, Record<string, unknown>> = {
    "wasi:cli/environment": { getEnvironment: () => [], getArguments: () => [], initialCwd: () => undefined },
    "wasi:cli/stdout": { getStdout: () => new OutputStream() },
    "wasi:cli/stderr": { getStderr: () => new OutputStream() },
    "wasi:clocks/monotonic-clock": { now: () => 0n, resolution: () => 1n },
    "wasi:clocks/wall-clock": { now: () => buildTime, resolution: () => buildTime },
    "wasi:filesystem/preopens": { getDirectories: () => [] },
    "wasi:io/streams": { OutputStream },
    "wasi:random/insecure-seed": { insecureSeed: () => [0n, 0n] },
    "wasi:random/random": {
      getRandomBytes: () => forbidden("ask for random bytes"),
      getRandomU64: () => forbidden("ask for a random number"),
    },
  };
  const imports = new Proxy(known, { get: (spaces, name) => interfaceOf(String(name), spaces[String(name)] ?? {}) });
  return { imports, output: () => (output === "" ? "" : `\nit printed:\n${output.slice(0, outputBytesMax)}`) };
}

function interfaceOf(name: string, functions: Record<string, unknown>): unknown {
  return new Proxy(functions, {
    get: (space, member) => {
      const found = space[String(member)];
      if (found !== undefined) return found;
      // A capital letter is a resource class; its methods are looked up when they are called.
      return /^[A-Z]/.test(String(member)) ? unusedResource() : () => forbidden(`call ${name}#${String(member)}`);
    },
  });
}

function forbidden(what: string): never {
  throw new Error(`a function may not ${what} while it is built: do it when a request arrives`);
}

/** The engine's glue wants a class for each resource; nothing makes one of these while a function is built. */
function unusedResource(): unknown {
  return function resource(): void {
    // Its prototype is all that is looked at.
  };
}
