import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { settingOptions as gatewayOptions } from "../../gateway/settings.ts";
import { settingOptions as serverOptions } from "../../scheduler/setting-options.ts";
import { partFlags } from "../../sdk/cli/platform/part-flags.ts";

// `shallop server|agent|gateway --help` says flags that other folders take: it must say all of them, and no others.

/** The node agent has its flags in its main.ts, which cannot be imported without being run. */
function agentOptions(): readonly string[] {
  const main = readFileSync(new URL("../../runtime/main.ts", import.meta.url), "utf8");
  const options = main.slice(main.indexOf("parseArgs({"), main.indexOf("});"));
  return [...options.matchAll(/^ {4}"?([a-z-]+)"?: \{/gm)].map(([, name = ""]) => name);
}

test.each([
  ["server", Object.keys(serverOptions)],
  ["agent", agentOptions()],
  ["gateway", Object.keys(gatewayOptions)],
] as const)("shallop %s --help says the flags that there are", (part, options) => {
  expect(new Set(Object.keys(partFlags[part]))).toEqual(new Set(options));
});
