import { getEnvironment } from "wazi:cli/environment@0.2.10";

// `process.env` is how npm packages ask for configuration. Read at each use: the environment is the pod's, not the
// build's. What the function sets itself is kept beside it.
const own: Record<string, string> = {};

const valueOf = (name: string): string | undefined => own[name] ?? getEnvironment().find(([key]) => key === name)?.[1];

const env = new Proxy(own, {
  get: (_, name) => (typeof name === "string" ? valueOf(name) : undefined),
  has: (_, name) => typeof name === "string" && valueOf(name) !== undefined,
  set: (target, name, value) => Reflect.set(target, name, String(value)),
  ownKeys: () => [...new Set([...Object.keys(own), ...getEnvironment().map(([key]) => key)])],
  getOwnPropertyDescriptor: (_, name) => {
    const value = typeof name === "string" ? valueOf(name) : undefined;
    return value === undefined ? undefined : { value, writable: true, enumerable: true, configurable: true };
  },
});

/** As much of Node's as packages look at without being asked to run on Node. */
export const process = {
  env,
  argv: [] as readonly string[],
  platform: "wasi",
  nextTick: (run: (...values: unknown[]) => void, ...values: unknown[]): void => queueMicrotask(() => run(...values)),
};
