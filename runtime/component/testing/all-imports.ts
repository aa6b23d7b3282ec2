import { componentEmbed, componentNew } from "@bytecodealliance/jco";
import { wasiPackages, wasiWit } from "./quickjs-component.ts";

/** A component that imports what one may that serves HTTP, and traps when it is called. */
export async function allImports(): Promise<Uint8Array> {
  const packages = await Promise.all(wasiPackages.map(wasiWit));
  const nested = packages.map((wit) => `${wit.replace(/^package ([^;]+);/m, "package $1 {")}}`);
  const world = `world guest { include wasi:cli/imports@0.2.3; include wasi:http/proxy@0.2.3; }`;
  const witSource = ["package shallop:warm-up;", world, ...nested].join("\n");
  return componentNew(await componentEmbed({ witSource, world: "guest", dummy: true, features: { tag: "all" } }));
}
