import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { asIs, bytes, codeOf, follow, must, Sandbox, text } from "./filesystem.fixture.ts";

const rounds = 2000;

class Swapper implements AsyncDisposable {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async start(at: string): Promise<Swapper> {
    const child = spawn(process.execPath, [fileURLToPath(new URL("swapper.fixture.ts", import.meta.url)), at], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(child.stdout, "data");
    return new Swapper(child);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    expect(this.#child.exitCode, "the swapper has swapped all the time").toBeNull();
    this.#child.kill("SIGKILL");
    await once(this.#child, "exit");
  }
}

/** `room/door` is a directory with a harmless `file`, or a symbolic link to outside, where `file` is a secret. */
function prepare(host: string, outside: string): void {
  mkdirSync(join(host, "room/door"), { recursive: true });
  writeFileSync(join(host, "room/door/file"), "harmless");
  symlinkSync("../../outside", join(host, "room/link"));
  writeFileSync(join(outside, "file"), "secret");
}

test.runIf(process.platform === "linux")(
  "a directory that becomes a symbolic link while a guest walks through it never leads outside",
  async () => {
    using sandbox = new Sandbox({ prepare });
    const { root, outside } = sandbox;
    await using _swapper = await Swapper.start(sandbox.path("room"));
    const seen = new Map<string, number>();
    const count = (what: string): void => void seen.set(what, (seen.get(what) ?? 0) + 1);
    for (let round = 0; round < rounds; round++) {
      const opened = await root.openAt(follow, "room/door/file", {}, { read: true });
      if (opened.tag === "ok") {
        count(text(must(await opened.val.read(100n, 0n))[0]));
        opened.val[Symbol.dispose]();
      } else {
        count(opened.val);
      }
      const stat = await root.statAt(follow, "room/door/file");
      count(stat.tag === "ok" ? `size ${stat.val.size}` : stat.val);
      if (round % 4 !== 0) continue;
      const made = await root.openAt(asIs, "room/door/new", { create: true }, { write: true });
      if (made.tag === "ok") {
        await made.val.write(bytes("new"), 0n);
        made.val[Symbol.dispose]();
      }
      count(codeOf(await root.createDirectoryAt("room/door/made")));
      count(codeOf(await root.unlinkFileAt("room/door/new")));
      count(codeOf(await root.removeDirectoryAt("room/door/made")));
    }
    // The swap was met on both sides, and the other side was refused each time.
    expect(seen.get("harmless") ?? 0, JSON.stringify([...seen])).toBeGreaterThan(0);
    expect(seen.get("not-permitted") ?? 0, JSON.stringify([...seen])).toBeGreaterThan(0);
    expect(seen.has("secret")).toBe(false);
    expect(seen.has("size 6")).toBe(false);
    expect(readdirSync(outside)).toEqual(["file"]);
    expect(readFileSync(join(outside, "file"), "utf8")).toBe("secret");
  },
);

test.runIf(process.platform === "linux")(
  "whatever is done, and however it ends, no descriptor stays open",
  async () => {
    const openCount = (): number => readdirSync("/proc/self/fd").length;
    using sandbox = new Sandbox({ prepare });
    const { root } = sandbox;
    mkdirSync(sandbox.path("deep/er"), { recursive: true });
    symlinkSync("../deep", sandbox.path("deep/back"));
    const before = openCount();
    for (let round = 0; round < 50; round++) {
      const file = must(
        await root.openAt(follow, "deep/back/er/../file", { create: true }, { read: true, write: true }),
      );
      const output = must(file.appendViaStream());
      must(await output.blockingWriteAndFlush(bytes("x")));
      const input = must(file.readViaStream(0n));
      must(await input.blockingRead(1n));
      const entries = must(await root.readDirectory());
      must(await entries.readDirectoryEntry());
      const refused = [
        await root.openAt(follow, "room/link/file", {}, { read: true }),
        await root.openAt(follow, "deep/file", { create: true, exclusive: true }, { write: true }),
        await root.openAt(follow, "deep/file", { directory: true }, { read: true }),
        await root.openAt(asIs, "deep/back", {}, { read: true }),
        await root.statAt(follow, "deep/nothing/at/all"),
        await root.renameAt("deep/nothing", root, "deep/er/x"),
        await file.statAt(follow, "x"),
      ];
      expect(refused.every(({ tag }) => tag === "err")).toBe(true);
      for (const one of [output, input, entries, file]) one[Symbol.dispose]();
    }
    await expect.poll(openCount).toBe(before);
    // What a guest has not dropped goes with its instance.
    must(await root.openAt(follow, "deep/file", {}, { read: true }));
    must(await root.readDirectory());
    must(must(await root.openAt(follow, "deep/file", {}, { read: true })).readViaStream(0n)).read(1n);
    sandbox.context.end();
    await expect.poll(openCount).toBe(before - 1);
  },
);
