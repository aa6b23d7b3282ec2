import type { LoweredFunction, LoweredInterfaces } from "../../instance/calling-guest.ts";
import { cliFunctions } from "./cli.generated.ts";
import { clocksFunctions } from "./clocks.generated.ts";
import { filesystemFunctions } from "./filesystem.generated.ts";
import { httpFunctions } from "./http.generated.ts";
import { ioFunctions } from "./io.generated.ts";
import { randomFunctions } from "./random.generated.ts";
import { socketsFunctions } from "./sockets.generated.ts";

const interfaces: LoweredInterfaces = {
  ...cliFunctions,
  ...clocksFunctions,
  ...filesystemFunctions,
  ...httpFunctions,
  ...ioFunctions,
  ...randomFunctions,
  ...socketsFunctions,
};

/**
 * The core function for one of WASI's, over the guest's memory; undefined for what WASI 0.2 has not. A component's own types
 * have been held against WASI's when it was prepared. `interfaceFamily`: without version.
 */
export function wasiFunction(interfaceFamily: string, name: string): LoweredFunction | undefined {
  const functions = own(interfaces, interfaceFamily);
  return functions === undefined ? undefined : own(functions, name);
}

/** A component names what it wants as it likes: `constructor` shall not be what every object has. */
const own = <Value>(members: Readonly<Record<string, Value>>, name: string): Value | undefined =>
  Object.hasOwn(members, name) ? members[name] : undefined;
