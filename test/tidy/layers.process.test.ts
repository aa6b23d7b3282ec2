import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";

// A rule that cannot fail checks nothing: each import that the architecture forbids is planted in a copy, and the linter
// must find it. An allowed one beside each shows that the rule is no wall.

const root = fileURLToPath(new URL("../../", import.meta.url));
let copy: string;

beforeAll(async () => {
  copy = await mkdtemp(join(tmpdir(), "shallop-layers-"));
  await cp(join(root, ".oxlintrc.json"), join(copy, ".oxlintrc.json"));
});
afterAll(() => rm(copy, { recursive: true, force: true }));

const forbidden: readonly (readonly [rule: string, file: string, imported: string])[] = [
  ["sdk imports no other folder", "sdk/client/planted.ts", "../../scheduler/store/store.ts"],
  ["sdk imports no workspace by name", "sdk/api/planted.ts", "@shallop/runtime"],
  ["runtime does not import gateway", "runtime/agent/planted.ts", "../../gateway/gateway.ts"],
  ["runtime does not import scheduler", "runtime/planted.ts", "@shallop/scheduler"],
  ["gateway does not import runtime", "gateway/proxy/planted.ts", "../../runtime/pod/pod-runtime.ts"],
  ["gateway does not import scheduler", "gateway/stats/planted.ts", "@shallop/scheduler/api"],
  ["scheduler does not import runtime", "scheduler/place/planted.ts", "@shallop/runtime"],
  ["scheduler does not import gateway", "scheduler/api/planted.ts", "../../gateway/route/route-table.ts"],
  ["sdk is imported by its doors", "gateway/planted.ts", "../sdk/internal/fault.ts"],
  ["nobody imports samples", "runtime/image/planted.ts", "../../samples/hello/src/index.ts"],
  ["nobody imports test", "gateway/listen/planted.ts", "../../test/support/load.ts"],
  ["gateway/route is pure", "gateway/route/planted.ts", "node:fs"],
  ["scheduler/autoscale is pure", "scheduler/autoscale/planted.ts", "node:timers/promises"],
  ["scheduler/place is pure", "scheduler/place/planted2.ts", "@shallop/sdk/client"],
  ["every plan.ts is pure", "scheduler/controllers/route/plan.ts", "node:net"],
  ["privileged acts have one door", "runtime/sandbox/planted.ts", "node:child_process"],
];

const allowed: readonly (readonly [file: string, imported: string])[] = [
  ["runtime/agent/fine.ts", "@shallop/sdk/api"],
  ["gateway/route/fine.ts", "@shallop/sdk/internal"],
  ["scheduler/controllers/route/fine.ts", "node:net"],
  ["runtime/sandbox/kernel/fine.ts", "node:child_process"],
  ["sdk/client/fine.ts", "../api/meta.ts"],
];

async function lint(file: string, imported: string): Promise<string> {
  const path = join(copy, file);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `import * as planted from ${JSON.stringify(imported)};\nexport const used = planted;\n`);
  const oxlint = join(root, "node_modules/.bin/oxlint");
  const ran = promisify(execFile)(oxlint, ["-c", ".oxlintrc.json", file], { cwd: copy });
  return ran.then(
    ({ stdout }) => stdout,
    (error: { readonly stdout: string }) => error.stdout,
  );
}

test.each(forbidden)("%s", async (_, file, imported) => {
  expect(await lint(file, imported)).toContain("no-restricted-imports");
});

test.each(allowed)("%s may import %s", async (file, imported) => {
  expect(await lint(file, imported)).not.toContain("no-restricted-imports");
});
