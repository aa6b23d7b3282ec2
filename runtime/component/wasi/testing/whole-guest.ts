import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { quickJsComponent } from "../../testing/quickjs-component.ts";

const wit = `package shallop:test;

world guest {
  include wasi:cli/imports@0.2.3;
  include wasi:http/proxy@0.2.3;
}
`;

/** `whole-guest.js` as a component. */
export async function wholeGuest(): Promise<Uint8Array> {
  const source = await readFile(fileURLToPath(new URL("whole-guest.js", import.meta.url)), "utf8");
  return quickJsComponent({ wit, world: "guest", source });
}
