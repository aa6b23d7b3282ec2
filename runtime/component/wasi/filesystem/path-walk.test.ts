import { lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { asIs, codeOf, follow, must, reaches, Sandbox, text } from "./filesystem.fixture.ts";

/** A tree with every kind of symbolic link, and a secret outside. */
function hostile(host: string, outside: string): void {
  mkdirSync(join(host, "dir/sub"), { recursive: true });
  writeFileSync(join(host, "file"), "inside");
  writeFileSync(join(host, "dir/sub/deep"), "deep");
  writeFileSync(join(outside, "secret"), "secret");
  const links: Record<string, string> = {
    absolute: "/etc/passwd",
    absoluteDir: outside,
    up: "../outside/secret",
    upDir: "../outside",
    "dir/upTwice": "../../outside/secret",
    "dir/upOnce": "../file",
    toDir: "dir",
    toDirSlash: "dir/",
    toSub: "toDir/sub",
    "dir/sub/back": "../..",
    self: "self",
    ping: "pong",
    pong: "ping",
    dangling: "nowhere",
    aroundOutside: "../granted/file",
  };
  for (const [name, target] of Object.entries(links)) symlinkSync(target, join(host, name));
  for (let index = 1; index <= 41; index++) {
    symlinkSync(index === 1 ? "file" : `chain${index - 1}`, join(host, `chain${index}`));
  }
}

describe.each(reaches)("paths by %s", (reach) => {
  test.each([
    { path: "file", code: "inside" },
    { path: "./file", code: "inside" },
    { path: "dir/../file", code: "inside" },
    { path: "dir//sub/./deep", code: "deep" },
    { path: "dir/sub/../../file", code: "inside" },
    { path: "toDir/sub/deep", code: "deep" },
    { path: "toSub/deep", code: "deep" },
    { path: "toSub/../upOnce", code: "inside" },
    { path: "toDirSlash/sub/deep", code: "deep" },
    { path: "dir/upOnce", code: "inside" },
    { path: "dir/sub/back/file", code: "inside" },
    { path: "chain40", code: "inside" },
    { path: "chain41", code: "loop" },
    { path: "", code: "no-entry" },
    { path: "/file", code: "not-permitted" },
    { path: "/", code: "not-permitted" },
    { path: "..", code: "not-permitted" },
    { path: "../granted/file", code: "not-permitted" },
    { path: "dir/../../granted/file", code: "not-permitted" },
    { path: "absolute", code: "not-permitted" },
    { path: "absoluteDir/secret", code: "not-permitted" },
    { path: "up", code: "not-permitted" },
    { path: "upDir/secret", code: "not-permitted" },
    { path: "upDir/", code: "not-permitted" },
    { path: "dir/upTwice", code: "not-permitted" },
    { path: "toSub/back/../outside/secret", code: "not-permitted" },
    { path: "aroundOutside", code: "not-permitted" },
    { path: "self", code: "loop" },
    { path: "self/x", code: "loop" },
    { path: "ping", code: "loop" },
    { path: "dangling", code: "no-entry" },
    { path: "file/", code: "not-directory" },
    { path: "file/x", code: "not-directory" },
    { path: "file/..", code: "not-directory" },
    { path: "nowhere/x", code: "no-entry" },
    { path: "nul\0", code: "invalid" },
    { path: "a".repeat(256), code: "name-too-long" },
    { path: "a/".repeat(2100), code: "name-too-long" },
    { path: `${"dir/../".repeat(500)}file`, code: "inside" },
    { path: `${"dir/sub/".repeat(1)}${"back/dir/sub/".repeat(41)}deep`, code: "loop" },
  ])("$path: $code", async ({ path, code }) => {
    using sandbox = new Sandbox({ reach, prepare: hostile });
    const opened = await sandbox.root.openAt(follow, path, {}, { read: true });
    const seen = opened.tag === "err" ? opened.val : text((await opened.val.read(100n, 0n).then(must))[0]);
    expect(seen).toBe(code);
  });

  test("a last symbolic link is followed only when that is asked for", async () => {
    using sandbox = new Sandbox({ reach, prepare: hostile });
    const { root } = sandbox;
    expect(codeOf(await root.openAt(asIs, "chain1", {}, { read: true }))).toBe("loop");
    expect(must(await root.statAt(asIs, "chain1")).type).toBe("symbolic-link");
    expect(must(await root.statAt(follow, "chain1")).type).toBe("regular-file");
    expect(must(await root.statAt(asIs, "toDir/")).type).toBe("directory");
    expect(codeOf(await root.statAt(follow, "up"))).toBe("not-permitted");
    expect(must(await root.statAt(asIs, "up")).type).toBe("symbolic-link");
  });

  test("no change reaches what lies outside", async () => {
    using sandbox = new Sandbox({ reach, prepare: hostile });
    const { root, outside } = sandbox;
    const before = lstatSync(join(outside, "secret"), { bigint: true });
    const now = { tag: "now" } as const;
    for (const prefix of ["upDir", "absoluteDir", "../outside", "toSub/back/upDir", "toSub/back/../outside"]) {
      const secret = `${prefix}/secret`;
      const results = [
        await root.openAt(follow, secret, { truncate: true }, { write: true }),
        await root.openAt(follow, `${prefix}/new`, { create: true }, { write: true }),
        await root.createDirectoryAt(`${prefix}/new`),
        await root.unlinkFileAt(secret),
        await root.removeDirectoryAt(prefix === "../outside" ? prefix : `${prefix}/.`),
        await root.renameAt(secret, root, "mine"),
        await root.renameAt("file", root, `${prefix}/mine`),
        await root.linkAt(asIs, secret, root, "mine"),
        await root.linkAt(asIs, "file", root, `${prefix}/mine`),
        await root.symlinkAt("x", `${prefix}/link`),
        await root.setTimesAt(follow, secret, now, now),
        await root.metadataHashAt(follow, secret),
        await root.readlinkAt(`${prefix}/secret`),
      ];
      expect(results.map(codeOf)).toEqual(results.map(() => "not-permitted"));
    }
    expect(codeOf(await root.setTimesAt(follow, "up", now, now))).toBe("not-permitted");
    expect(codeOf(await root.openAt(follow, "up", { create: true, truncate: true }, { write: true }))).toBe(
      "not-permitted",
    );
    expect(readdirSync(outside)).toEqual(["secret"]);
    expect(readFileSync(join(outside, "secret"), "utf8")).toBe("secret");
    expect(lstatSync(join(outside, "secret"), { bigint: true }).ctimeNs).toBe(before.ctimeNs);
  });

  test("a path of thousands of steps is refused, and nothing stays open", async () => {
    using sandbox = new Sandbox({
      reach,
      prepare: (host) => mkdirSync(join(host, "d/".repeat(100)), { recursive: true }),
    });
    const path = `${"d/".repeat(100)}${"../".repeat(100)}d`;
    expect(codeOf(await sandbox.root.statAt(follow, path))).toBe("name-too-long");
    expect(sandbox.context.openFiles.held).toBe(1);
  });
});

test("by path, a directory that becomes a symbolic link behind the guest's back is not opened", async () => {
  using sandbox = new Sandbox({ reach: "path", prepare: hostile });
  const dir = await sandbox.open("dir", { read: true }, { directory: true });
  renameSync(sandbox.path("dir"), sandbox.path("moved"));
  symlinkSync(sandbox.outside, sandbox.path("dir"));
  expect(codeOf(await dir.openAt(follow, "secret", {}, { read: true }))).toBe("not-permitted");
});

test.runIf(process.platform === "linux")(
  "by descriptor, a directory that was moved is still that directory",
  async () => {
    using sandbox = new Sandbox({ reach: "descriptor", prepare: hostile });
    const dir = await sandbox.open("dir", { read: true }, { directory: true });
    renameSync(sandbox.path("dir"), sandbox.path("moved"));
    symlinkSync(sandbox.outside, sandbox.path("dir"));
    expect(codeOf(await dir.openAt(follow, "secret", {}, { read: true }))).toBe("no-entry");
    expect(codeOf(await dir.statAt(follow, "sub/deep"))).toBe("ok");
  },
);
