import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { chown, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { componentThatImports } from "../host/testing/components.ts";
import { counterComponent, resultComponent, toolComponent, toolModule, writeProgram } from "./testing/programs.ts";
import { type Outcome, shallop, startShallop } from "./testing/shallop.ts";

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "shallop-run-"));
  await writeProgram(directory, "module.wasm", await toolModule());
  await writeProgram(directory, "component.wasm", await toolComponent());
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const run = (args: readonly string[], input?: Uint8Array): Promise<Outcome> =>
  shallop(["run", ...args], { cwd: directory, ...(input === undefined ? {} : { input }) });

describe.each(["component.wasm", "module.wasm"])("shallop run %s", (file) => {
  test("gives it its arguments and no others", async () => {
    const { code, stdout } = await run([file, "--", "args", "--env", "two words"]);
    expect(code).toBe(0);
    expect(stdout.toString().split("\0")).toEqual([file, "args", "--env", "two words", ""]);
  });

  test("gives it the environment that is named, and nothing of its own", async () => {
    const args = ["run", "--env", "A=1", "--env", "B=x=y", "--env", "HERE", file, "--", "vars"];
    const { stdout } = await shallop(args, { cwd: directory, env: { HERE: "handed on", SECRET: "no" } });
    expect(stdout.toString().split("\0")).toEqual(["A=1", "B=x=y", "HERE=handed on", ""]);
    expect((await run([file, "--", "vars"])).stdout).toHaveLength(0);
  });

  test("ends with its exit code", async () => {
    expect((await run([file])).code).toBe(0);
    // Of the component, too, though the adapter of preview 1 passes on only whether it is a failure.
    expect((await run([file, "--", "exit"])).code).toBe(7);
  });

  test("says 134 of a trap, in one sentence", async () => {
    const { code, stderr } = await run([file, "--", "trap"]);
    expect({ code, lines: stderr.trim().split("\n").length }).toEqual({ code: 134, lines: 1 });
    expect(stderr).toContain("unreachable");
  });

  test.each(["spin", "cat"])("ends one that does not end by itself (%s) with 124", async (verb) => {
    const child = startShallop(["run", "--timeout", "300ms", file, "--", verb], { cwd: directory });
    // Its standard input stays open.
    const [code] = (await once(child, "close")) as [number | null];
    expect(code).toBe(124);
  });

  test("carries 10 MB from standard input to standard output", async () => {
    const input = randomBytes(10 * 1024 * 1024);
    const { code, stdout } = await run([file, "--", "cat"], input);
    expect(code).toBe(0);
    expect(stdout.equals(input)).toBe(true);
  });

  test("lets it read and write where --dir says, and nowhere else", async () => {
    const granted = join(directory, `${file}-granted`);
    await mkdir(granted);
    await writeFile(join(granted, "inside"), "inside");
    await writeFile(join(directory, "outside"), "outside");
    const dir = ["--dir", `${granted}::/data`];
    expect((await run([...dir, file, "--", "read", "inside"])).stdout.toString()).toBe("inside");
    await run([...dir, file, "--", "write", "made"]);
    expect(await readFile(join(granted, "made"), "utf8")).toContain("write\0made");
    const escaped = await run([...dir, file, "--", "read", "../outside"]);
    expect({ code: escaped.code === 0, out: escaped.stdout.length }).toEqual({ code: false, out: 0 });
    const ungranted = await run([file, "--", "read", "inside"]);
    expect({ code: ungranted.code === 0, out: ungranted.stdout.length }).toEqual({ code: false, out: 0 });
  });

  test("holds it to --max-memory", async () => {
    expect((await run([file, "--", "grow"])).code).toBe(0);
    expect((await run(["--max-memory", "8M", file, "--", "grow"])).code).toBe(9);
  });
});

test.each(["component.wasm", "module.wasm"])("%s does not leave its directory by a symbolic link", async (file) => {
  const granted = join(directory, `${file}-with-link`);
  await mkdir(granted);
  await writeFile(join(directory, "secret"), "secret");
  await symlink(join(directory, "secret"), join(granted, "link"));
  await symlink("../secret", join(granted, "upwards"));
  for (const link of ["link", "upwards"]) {
    const { code, stdout } = await run(["--dir", granted, file, "--", "read", link]);
    expect({ failed: code !== 0, out: stdout.length }).toEqual({ failed: true, out: 0 });
  }
});

test.skipIf(process.getuid?.() !== 0)(
  "as a user without rights a module is closed in by a user namespace",
  async () => {
    const own = await mkdtemp(join(tmpdir(), "shallop-user-"));
    const granted = join(own, "granted");
    await mkdir(granted);
    await writeProgram(own, "module.wasm", await toolModule());
    await writeFile(join(own, "secret"), "secret");
    await writeFile(join(granted, "inside"), "inside");
    await symlink(join(own, "secret"), join(granted, "link"));
    const nobody = 65_534;
    for (const path of [own, granted, join(own, "secret"), join(granted, "inside"), join(own, "module.wasm")]) {
      await chown(path, nobody, nobody);
    }
    const options = { cache: join(own, "cache"), cwd: own, uid: nobody };
    const read = (file: string): Promise<Outcome> =>
      shallop(["run", "--dir", granted, "module.wasm", "--", "read", file], options);
    expect((await read("inside")).stdout.toString()).toBe("inside");
    expect((await read("link")).code).not.toBe(0);
    await rm(own, { recursive: true });
  },
);

test.each([0, 1] as const)("the result of run is the exit code %i", async (code) => {
  await writeProgram(directory, `result${code}.wasm`, await resultComponent(code));
  expect((await run([`result${code}.wasm`])).code).toBe(code);
});

test("a component is prepared once", async () => {
  const own = join(directory, "once");
  const again = (): Promise<Outcome> => shallop(["run", "component.wasm"], { cache: own, cwd: directory });
  await again();
  const prepared = join(own, "shallop", "prepared");
  const kept = async (): Promise<readonly number[]> => {
    const blobs = join(prepared, "blobs", "sha256");
    const files = (await readdir(blobs)).toSorted();
    return Promise.all(files.map(async (name) => (await stat(join(blobs, name))).ino));
  };
  const first = await kept();
  expect((await again()).code).toBe(0);
  // The very same files: nothing was written again.
  expect(await kept()).toEqual(first);
  expect(await readdir(join(prepared, "prepared"))).toHaveLength(1);
});

describe("what cannot be run is told in a sentence", () => {
  beforeAll(async () => {
    await writeFile(join(directory, "text.wasm"), "no WebAssembly");
    await writeFile(join(directory, "cut.wasm"), (await toolComponent()).subarray(0, 5000));
    await writeFile(join(directory, "cut-module.wasm"), (await toolModule()).subarray(0, 500));
    await writeProgram(directory, "unknown.wasm", await componentThatImports("acme:db/query@1.0.0"));
    await writeProgram(directory, "handler.wasm", await counterComponent());
  });

  test.each([
    { args: ["nothing.wasm"], code: 1, says: "no such file" },
    { args: ["-"], code: 1, says: "- is no file" },
    { args: ["text.wasm"], code: 1, says: "no WebAssembly" },
    { args: ["cut.wasm"], code: 1, says: "cut.wasm cannot be prepared" },
    { args: ["cut-module.wasm"], code: 1, says: "core module 0 is invalid" },
    { args: ["unknown.wasm"], code: 1, says: "acme:db/query@1.0.0" },
    { args: ["handler.wasm"], code: 1, says: "does not export wasi:cli/run" },
    { args: ["component.wasm", "--max-memory", "64K"], code: 1, says: "--max-memory" },
    { args: ["component.wasm", "--max-memory", "lots"], code: 2, says: "--max-memory" },
    { args: ["component.wasm", "--dir", "nowhere"], code: 2, says: "no directory" },
    { args: ["component.wasm", "--timeout", "soon"], code: 2, says: "--timeout" },
    { args: ["component.wasm", "--env", "=x"], code: 2, says: "--env" },
    { args: ["--no-such-flag", "component.wasm"], code: 2, says: "no-such-flag" },
  ])("$args: $code", async ({ args, code, says }) => {
    const outcome = await run(args);
    expect(outcome.stderr).toContain(says);
    expect(outcome.code).toBe(code);
    expect(outcome.stdout).toHaveLength(0);
  });
});
