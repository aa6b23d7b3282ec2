import type {
  AsyncLoweredFunction,
  AsyncLoweredInterfaces,
  LoweredFunction,
  LoweredInterfaces,
} from "../../instance/calling-guest.ts";
import { cliFunctions03 } from "./cli-0.3.generated.ts";
import { cliFunctions } from "./cli.generated.ts";
import { clocksAsyncFunctions03, clocksFunctions03 } from "./clocks-0.3.generated.ts";
import { clocksFunctions } from "./clocks.generated.ts";
import { filesystemAsyncFunctions03, filesystemFunctions03 } from "./filesystem-0.3.generated.ts";
import { filesystemFunctions } from "./filesystem.generated.ts";
import { httpAsyncFunctions03, httpFunctions03 } from "./http-0.3.generated.ts";
import { httpFunctions } from "./http.generated.ts";
import { ioFunctions } from "./io.generated.ts";
import { randomFunctions03 } from "./random-0.3.generated.ts";
import { randomFunctions } from "./random.generated.ts";
import { socketsAsyncFunctions03, socketsFunctions03 } from "./sockets-0.3.generated.ts";
import { socketsFunctions } from "./sockets.generated.ts";

const interfaces: LoweredInterfaces = {
  ...cliFunctions,
  ...clocksFunctions,
  ...filesystemFunctions,
  ...httpFunctions,
  ...ioFunctions,
  ...randomFunctions,
  ...socketsFunctions,
  ...cliFunctions03,
  ...clocksFunctions03,
  ...filesystemFunctions03,
  ...httpFunctions03,
  ...randomFunctions03,
  ...socketsFunctions03,
};

const asyncInterfaces: AsyncLoweredInterfaces = {
  ...clocksAsyncFunctions03,
  ...filesystemAsyncFunctions03,
  ...httpAsyncFunctions03,
  ...socketsAsyncFunctions03,
};

/**
 * The core function for one of WASI's, over the guest's memory; undefined for what WASI has not, and for those that are `async`.
 * A component's own types have been held against WASI's when it was prepared.
 * `interfaceFamily`: without version; of 0.3 with `@0.3`.
 */
export function wasiFunction(interfaceFamily: string, name: string): LoweredFunction | undefined {
  const functions = own(interfaces, interfaceFamily);
  return functions === undefined ? undefined : own(functions, name);
}

/** The same of those that are `async`. */
export function wasiAsyncFunction(interfaceFamily: string, name: string): AsyncLoweredFunction | undefined {
  const functions = own(asyncInterfaces, interfaceFamily);
  return functions === undefined ? undefined : own(functions, name);
}

/** A component names what it wants as it likes: `constructor` shall not be what every object has. */
const own = <Value>(members: Readonly<Record<string, Value>>, name: string): Value | undefined =>
  Object.hasOwn(members, name) ? members[name] : undefined;
