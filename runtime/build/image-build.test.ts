import { chmod, mkdir, readdir, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  ContentStore,
  type Digest,
  digestOf,
  formatReference,
  ImageTags,
  mediaType,
  parseReference,
} from "@shallop/sdk/image";
import { openBench, rawTar } from "../image/image.fixture.ts";
import { systemClock, systemRandom } from "@shallop/sdk/internal";
import { openWorkshop, type Workshop } from "./build.fixture.ts";
import { build } from "./builder.ts";

let workshop: Workshop;
beforeEach(async () => {
  workshop = await openWorkshop();
});
afterEach(async () => {
  await workshop[Symbol.asyncDispose]();
});

/** What an image from scratch has of Docker's builder, too. */
const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Gives an image of the workshop a name, so that others can be built upon it. */
async function tagged(name: string, dockerfile: string): Promise<void> {
  const { built } = await workshop.build(dockerfile);
  const tags = await ImageTags.open(workshop.settings.storeDirectory);
  await tags.set(parseReference(name, { defaultRegistry: "127.0.0.1:1" }), built.manifest, 0);
}

const refused = (code: string, message: RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) }) as Error;

describe("the config", () => {
  test("has all that the instructions say, in Docker's words", async () => {
    const { config, built } = await workshop.build(
      `FROM scratch
MAINTAINER Ann <ann@example.org>
ENV A=1 B="two $A" A=3
ENV C the rest = $B
LABEL x="y z" w=$A
EXPOSE 80 9000-9001/udp
VOLUME ["/data", "/more"]
VOLUME /again
USER 1000:1000
WORKDIR /srv
WORKDIR app
STOPSIGNAL SIGINT
HEALTHCHECK --interval=5s --retries=2 CMD test -f /ok
SHELL ["/bin/bash", "-ec"]
CMD run $A
ONBUILD RUN make $X
`,
      { labels: { extra: "1" }, platform: "linux/amd64" },
    );
    expect(config).toMatchObject({
      created: "1970-01-01T00:00:00Z",
      author: "Ann <ann@example.org>",
      architecture: "amd64",
      os: "linux",
      config: {
        User: "1000:1000",
        ExposedPorts: { "80/tcp": {}, "9000/udp": {}, "9001/udp": {} },
        Env: [path, "A=3", "B=two ", "C=the rest = two "],
        Cmd: ["/bin/bash", "-ec", "run $A"],
        Volumes: { "/again": {}, "/data": {}, "/more": {} },
        WorkingDir: "/srv/app",
        Labels: { extra: "1", w: "3", x: "y z" },
        StopSignal: "SIGINT",
        Healthcheck: { Test: ["CMD-SHELL", "test -f /ok"], Interval: 5e9, Retries: 2 },
        Shell: ["/bin/bash", "-ec"],
        OnBuild: ["RUN make $X"],
      },
    });
    const history = config["history"] as { readonly created_by: string; readonly empty_layer?: boolean }[];
    expect(history).toHaveLength(15);
    expect(history.filter(({ empty_layer }) => empty_layer !== true).map(({ created_by }) => created_by)).toEqual([
      "WORKDIR /srv",
      "WORKDIR /srv/app",
    ]);
    expect(built.manifest.platform).toEqual({ os: "linux", architecture: "amd64" });
  });

  test("ENTRYPOINT takes a base's CMD away, and leaves the Dockerfile's own", async () => {
    await tagged("base", 'FROM scratch\nCMD ["base"]\n');
    const dropped = await workshop.build('FROM base\nENTRYPOINT ["/x"]\n');
    expect(dropped.config["config"]).toEqual({ Env: [path], Entrypoint: ["/x"] });
    const kept = await workshop.build('FROM base\nCMD ["own"]\nENTRYPOINT ["/x"]\n');
    expect(kept.config["config"]).toEqual({ Env: [path], Entrypoint: ["/x"], Cmd: ["own"] });
  });

  test("arguments: given, by default, from before FROM, of the platform; the environment goes before them", async () => {
    const text = `ARG GLOBAL=g
FROM scratch
ARG GLOBAL
ARG GIVEN=default
ARG PLAIN=\${GIVEN}-x
ARG TARGETARCH TARGETPLATFORM
ARG NEVER
ENV GIVEN=env
LABEL a="$GLOBAL $GIVEN $PLAIN $TARGETARCH $TARGETPLATFORM $NEVER $UNDECLARED"
`;
    const { config, events } = await workshop.build(text, {
      platform: "linux/arm64/v8",
      buildArgs: { GIVEN: "given", UNDECLARED: "u" },
    });
    expect(config["config"]).toMatchObject({ Labels: { a: "g env given-x arm64 linux/arm64  " } });
    expect(events).toContainEqual(
      expect.objectContaining({ kind: "note", text: expect.stringContaining("UNDECLARED") }),
    );
  });
});

describe("COPY", () => {
  test("files, directories, wildcards, destinations", async () => {
    await workshop.write({ a: "A", "d/b": "B", "d/e/c": "C", "x1.txt": "1", "x2.txt": "2", "sp ace": "S" });
    await chmod(join(workshop.directory, "context/a"), 0o751);
    await symlink("b", join(workshop.directory, "context/d/link"));
    const { files } = await workshop.build(
      `FROM scratch
WORKDIR /w
COPY a /to/file
COPY a rel
COPY d /dir
COPY d/ /dir2/
COPY x*.txt ["sp ace", "/both/"]
COPY x?.txt /both/
COPY --chown=5:6 --chmod=0640 a /owned/a
COPY ["sp ace", "/both/"]
`.replace('COPY x*.txt ["sp ace", "/both/"]\n', ""),
    );
    expect(files).toMatchObject({
      "to/file": "751 0:0 A",
      "w/rel": "751 0:0 A",
      "dir/b": "644 0:0 B",
      "dir/e/c": "644 0:0 C",
      "dir/link": "777 0:0 -> b",
      "dir2/e": "755 0:0 (directory)",
      "both/x1.txt": "644 0:0 1",
      "both/x2.txt": "644 0:0 2",
      "both/sp ace": "644 0:0 S",
      owned: "755 5:6 (directory)",
      "owned/a": "640 5:6 A",
    });
  });

  test("links of the image lead inside of it; its directories keep their attributes", async () => {
    await workshop.write({ a: "A", "etc/passwd": "app:x:7:8::/:/bin/sh\n", "etc/group": "web:x:9:\n" });
    await mkdir(join(workshop.directory, "context/l"));
    await symlink("/real", join(workshop.directory, "context/l/alias"));
    const { files } = await workshop.build(`FROM scratch
COPY --chown=3:3 --chmod=711 etc /real/etc
COPY etc /etc
COPY l /
COPY a /alias/sub/
COPY --chown=app a /alias/etc/mine
COPY --chown=app:web a /alias/both
`);
    expect(files).toMatchObject({
      alias: "777 0:0 -> /real",
      "real/sub/a": "644 0:0 A",
      "real/etc": "711 3:3 (directory)",
      "real/etc/mine": "644 7:7 A",
      "real/both": "644 7:9 A",
    });
  });

  test("from other stages and images, with their owners; what they have removed is not there", async () => {
    await workshop.write({ a: "A" });
    await tagged("other", "FROM scratch\nCOPY a /from/image\n");
    const { files } = await workshop.build(`FROM scratch AS one
COPY --chown=4:5 a /x/a
FROM one
COPY --from=one /x /y
COPY --from=0 /x/a /z
COPY --from=other /from/image /i
`);
    expect(files).toMatchObject({ "y/a": "644 4:5 A", z: "644 4:5 A", i: "644 0:0 A", "x/a": "644 4:5 A" });
  });

  test("texts of the Dockerfile itself", async () => {
    const text = 'FROM scratch\nENV N=1\nCOPY <<a.txt <<"b.txt" /t/\nn $N "q"\na.txt\nn $N\nb.txt\n';
    const { files } = await workshop.build(text);
    expect(files).toMatchObject({ "t/a.txt": '644 0:0 n 1 "q"\n', "t/b.txt": "644 0:0 n $N\n" });
  });

  test("the ignore file: of the context, and of the Dockerfile before it", async () => {
    await workshop.write({ "keep/a": "A", "keep/b.log": "B", secret: "S", ".dockerignore": "secret\n**/*.log\n" });
    const { files } = await workshop.build("FROM scratch\nCOPY . /\n");
    expect(Object.keys(files).sort()).toEqual([".dockerignore", "keep", "keep/a"]);
    await expect(workshop.build("FROM scratch\nCOPY secret /\n")).rejects.toThrow(
      refused("CONTEXT_INVALID", /line 2: "secret" is not in the build context; the ignore file leaves it out/),
    );
    await writeFile(join(workshop.directory, "Dockerfile.dockerignore"), "*\n!secret\n");
    const other = await workshop.build("FROM scratch\nCOPY . /\n");
    expect(Object.keys(other.files)).toEqual(["secret"]);
  });

  test.each([
    ["COPY ../out /", "CONTEXT_INVALID", /leads out of the build context/],
    ["COPY a/../../out /", "CONTEXT_INVALID", /leads out of the build context/],
    ["COPY ../* /", "CONTEXT_INVALID", /leads out of the build context/],
    ["COPY absolute /", "CONTEXT_INVALID", /leads out of the build context/],
    ["COPY up /", "CONTEXT_INVALID", /leads out of the build context/],
    ["COPY round /", "CONTEXT_INVALID", /goes round in links/],
    ["COPY nothing /", "CONTEXT_INVALID", /not in the build context/],
    ["COPY no*thing /", "CONTEXT_INVALID", /not in the build context/],
    ["COPY a nothing no*thing /x/", "CONTEXT_INVALID", /"nothing" is not in the build context/],
    ["COPY [a /", "CONTEXT_INVALID", /no pattern/],
    ["COPY a round /x", "CONTEXT_INVALID", /round in links/],
    ["COPY a a /x", "CONTEXT_INVALID", /must end in \//],
    ["COPY a /d\nCOPY d /d", "CONTEXT_INVALID", /line 3: .*no directory/],
    ["COPY d /d\nCOPY a /d/b/", "CONTEXT_INVALID", /no directory/],
    ["COPY .wh.a /", "CONTEXT_INVALID", /cannot be in an image/],
    ["COPY --chown=nobody a /", "DOCKERFILE_INVALID", /not in the \/etc\/passwd|passwd/],
    ["COPY --chmod=u+x a /", "DOCKERFILE_INVALID", /octal/],
    ["COPY --from=127.0.0.1:1/none /a /", "REGISTRY_UNREACHABLE", /line 2: COPY/],
    ["ADD git@example.org:x/y.git /", "BUILD_UNSUPPORTED", /clone it/],
    ["ADD https://example.org/x.git /", "BUILD_UNSUPPORTED", /clone it/],
  ])("%s is refused", async (text, code, message) => {
    await workshop.write({ a: "A", "d/b": "B", ".wh.a": "" });
    await writeFile(join(workshop.directory, "out"), "secret");
    const link = (target: string, name: string) => symlink(target, join(workshop.directory, "context", name));
    await Promise.all([
      link(join(workshop.directory, "out"), "absolute"),
      link("../out", "up"),
      link("round", "round"),
    ]);
    await expect(workshop.build(`FROM scratch\n${text}\n`)).rejects.toThrow(refused(code, message));
  });

  test("a wildcard may match nothing beside a source that is there", async () => {
    await workshop.write({ "package.json": "{}" });
    const { files } = await workshop.build("FROM scratch\nCOPY package.json package-lock.json* ./\n");
    expect(Object.keys(files)).toEqual(["package.json"]);
  });

  test("a link inside a directory is copied as one, wherever it leads", async () => {
    await workshop.write({ "d/b": "B" });
    await symlink("../../out", join(workshop.directory, "context/d/up"));
    const { files } = await workshop.build("FROM scratch\nCOPY d /d\n");
    expect(files["d/up"]).toBe("777 0:0 -> ../../out");
  });
});

describe("ADD", () => {
  const archive = rawTar([
    { name: "in/", flag: "5", mode: 0o700, uid: 3 },
    { name: "in/a", body: "A", uid: 3 },
    { name: "in/b", flag: "1", link: "in/a" },
    { name: "l", flag: "2", link: "in" },
  ]);

  test("unpacks archives, compressed or not, and nothing else", async () => {
    await workshop.write({ "a.tar": archive, "b.tgz": gzipSync(archive), "c.gz": gzipSync("text"), "d.txt": "D" });
    const { files } = await workshop.build(
      "FROM scratch\nADD a.tar /a/\nADD b.tgz /b\nADD c.gz d.txt /c/\nCOPY a.tar /copied/\n",
    );
    for (const root of ["a", "b"]) {
      expect(files).toMatchObject({
        [`${root}/in`]: "700 3:0 (directory)",
        [`${root}/in/a`]: "644 3:0 A",
        [`${root}/in/b`]: "644 3:0 A",
        [`${root}/l`]: "777 0:0 -> in".replace("777", files[`${root}/l`]?.split(" ")[0] ?? ""),
      });
    }
    expect(files["c/d.txt"]).toBe("644 0:0 D");
    expect(files["c/c.gz"]).toMatch(/^644 0:0 /);
    expect(files["copied/a.tar"]).toBeDefined();
  });

  test.each([
    ["a path that leads out", [{ name: "../../etc/x", body: "x" }], "LAYER_INVALID", /leads out/],
    ["a hard link out", [{ name: "x", flag: "1", link: "../x" }], "LAYER_INVALID", /leads out/],
    ["a hard link to nothing", [{ name: "x", flag: "1", link: "y" }], "LAYER_INVALID", /no file/],
    ["a whiteout", [{ name: ".wh.x" }], "CONTEXT_INVALID", /cannot be in an image/],
    ["a name too long", [{ name: "x", pax: { path: "y/".repeat(3000) } }], "LAYER_INVALID", /bytes/],
    [
      "a size that lies",
      [
        { name: "ok", body: "k" },
        { name: "x", body: "x", size: 5_000 },
      ],
      "LAYER_INVALID",
      /ends/,
    ],
  ])("%s is refused", async (_, entries, code, message) => {
    await workshop.write({ "x.tar": rawTar([{ name: "first", body: "1" }, ...entries]) });
    await expect(workshop.build("FROM scratch\nADD x.tar /\n")).rejects.toThrow(refused(code, message));
  });

  test("what is written through a link of the archive stays in the archive", async () => {
    const entries = [
      { name: "l", flag: "2", link: "/etc" },
      { name: "l/passwd", body: "x" },
    ];
    await workshop.write({ "x.tar": rawTar(entries) });
    const { files } = await workshop.build("FROM scratch\nADD x.tar /here/\n");
    expect(files).toMatchObject({ "here/l": expect.stringContaining("-> /etc"), "here/etc/passwd": "644 0:0 x" });
  });

  test("fetches files, and holds them to their checksum", async () => {
    const server = createServer((request, response) => {
      response.statusCode = request.url === "/dir/file.txt" ? 200 : 404;
      response.end("fetched");
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const digest = digestOf("fetched");
    try {
      const { files } = await workshop.build(
        `FROM scratch\nADD ${url}/dir/file.txt /to/\nADD --checksum=${digest} ${url}/dir/file.txt /other\n`,
      );
      expect(files).toMatchObject({ "to/file.txt": "600 0:0 fetched", other: "600 0:0 fetched" });
      const wrong = `FROM scratch\nADD --checksum=${digestOf("x")} ${url}/dir/file.txt /x\n`;
      await expect(workshop.build(wrong)).rejects.toThrow(refused("DOWNLOAD_FAILED", /--checksum says/));
      await expect(workshop.build(`FROM scratch\nADD ${url}/none /x\n`)).rejects.toThrow(
        refused("DOWNLOAD_FAILED", /answers 404/),
      );
    } finally {
      server.close();
    }
  });
});

describe("bases", () => {
  test("a base's triggers are carried out, and are gone from what is built", async () => {
    await workshop.write({ a: "A" });
    await tagged("base", "FROM scratch\nONBUILD COPY a /triggered\nONBUILD ENV T=1\n");
    const { files, config } = await workshop.build("FROM base\nCOPY a /own\n");
    expect(Object.keys(files).sort()).toEqual(["own", "triggered"]);
    expect(config["config"]).toEqual({ Env: [path, "T=1"] });
  });

  test("a base for another platform is refused, with those that there are", async () => {
    await tagged("base", "FROM scratch\n");
    // The registry is asked for it, and is not there.
    const other = workshop.build("FROM base\n", { platform: "linux/s390x" });
    await expect(other).rejects.toThrow(
      refused("BASE_INVALID", /line 1: FROM: .*base:latest has no variant for linux\/s390x; it has linux\/[a-z0-9]+$/),
    );
  });

  test("a base comes from a registry, by its platform; the next build asks none", async () => {
    await using bench = await openBench();
    const published = await bench.publish("team/base:1", { "etc/motd": "hello", app: "A" });
    await workshop.write({ a: "A" });
    const name = formatReference(bench.reference("team/base:1"));
    const text = `FROM ${name}\nCOPY a /etc/\n`;
    const { files, config } = await workshop.build(text, { platform: "linux/amd64" });
    expect(files).toMatchObject({ "etc/motd": "644 0:0 hello", "etc/a": "644 0:0 A", app: "644 0:0 A" });
    expect(config["config"]).toMatchObject({ Entrypoint: ["/app"], Env: ["A=b"], User: "1000:1000" });
    await expect(workshop.build(text, { platform: "linux/s390x" })).rejects.toThrow(
      refused("BASE_INVALID", /line 1: FROM: .*has no variant for linux\/s390x; it has linux\/amd64, wasip2\/wasm/),
    );
    const pinned = await workshop.build(`FROM ${name.replace(/:1$/, "")}@${published.index.digest}\n`, {
      platform: "linux/amd64",
    });
    expect(pinned.files["etc/motd"]).toBeDefined();
    await bench.registry[Symbol.asyncDispose]();
    expect((await workshop.build(text, { platform: "linux/amd64" })).built.cachedCount).toBe(2);
  });

  test("a base whose layer is not what its config says is refused", async () => {
    const { built } = await workshop.build("FROM scratch\nCOPY <<a /x/\ny\na\n");
    const store = await ContentStore.open(workshop.settings.storeDirectory);
    const manifest = JSON.parse(new TextDecoder().decode(await store.readBytes(built.manifest))) as {
      config: { digest: Digest; size: number };
    };
    const config = JSON.parse(new TextDecoder().decode(await store.readBytes(manifest.config))) as {
      rootfs: { diff_ids: string[] };
    };
    config.rootfs.diff_ids = [digestOf("something else")];
    manifest.config = await store.put(Buffer.from(JSON.stringify(config)), mediaType.config);
    const lying = await store.put(Buffer.from(JSON.stringify(manifest)), mediaType.manifest);
    const tags = await ImageTags.open(workshop.settings.storeDirectory);
    await tags.set(parseReference("liar", { defaultRegistry: "127.0.0.1:1" }), lying, 0);
    await expect(workshop.build("FROM liar\nWORKDIR /w\n")).rejects.toThrow(refused("DIGEST_MISMATCH", /line 2/));
  });

  test("more layers than an image may have are refused", async () => {
    await workshop.write({ a: "A" });
    const copies = Array.from({ length: 128 }, (_, index) => `COPY a /a${index}`).join("\n");
    await expect(workshop.build(`FROM scratch\n${copies}\n`)).rejects.toThrow(
      refused("BASE_INVALID", /line 129: COPY: this would be layer 128/),
    );
  });
});

describe("the cache", () => {
  const text = "FROM scratch\nWORKDIR /w\nCOPY a b /x/\nENV A=1\n";

  test("the same input gives the same digest, with nothing done, whatever time it is", async () => {
    await workshop.write({ a: "A", b: "B" });
    const first = await workshop.build(text);
    expect(first.built.cachedCount).toBeLessThan(4);
    await workshop.write({ a: "A" });
    const again = await workshop.build(text);
    expect(again.built).toEqual({ ...first.built, cachedCount: 4 });
    await using elsewhere = await openWorkshop();
    await elsewhere.write({ b: "B", a: "A" });
    expect((await elsewhere.build(text)).built.manifest).toEqual(first.built.manifest);
  });

  test.each([
    ["content", async () => workshop.write({ a: "AA" })],
    ["mode", async () => chmod(join(workshop.directory, "context/a"), 0o755)],
  ])("another %s is another layer", async (_, change) => {
    await workshop.write({ a: "A", b: "B" });
    const first = await workshop.build(text);
    await change();
    const { built } = await workshop.build(text);
    expect(built.manifest.digest).not.toBe(first.built.manifest.digest);
    expect(built.cachedCount).toBe(2);
  });

  test("what a layer is lost of is made again", async () => {
    await workshop.write({ a: "A", b: "B" });
    const first = await workshop.build(text);
    const store = await ContentStore.open(workshop.settings.storeDirectory);
    for await (const { digest } of store.list()) await store.remove(digest);
    expect((await workshop.build(text)).built.manifest).toEqual(first.built.manifest);
  });
});

test("a context in an archive is the same as one in a directory", async () => {
  await workshop.write({ "d/a": "A", ".dockerignore": "b" });
  const text = "FROM scratch\nCOPY d /d\n";
  const direct = await workshop.build(text);
  const path = join(workshop.directory, "context.tar.gz");
  const entries = [
    { name: "Dockerfile", body: text },
    { name: ".dockerignore", body: "b" },
    { name: "d/", flag: "5", mode: 0o755, uid: 77 },
    { name: "d/a", body: "A", uid: 77 },
    { name: "b", body: "B" },
  ];
  await writeFile(path, gzipSync(rawTar(entries)));
  const piped = await workshop.build(text, { context: path, dockerfile: join(workshop.directory, "Dockerfile") });
  expect(piped.built.manifest).toEqual(direct.built.manifest);
});

test("a Dockerfile or context that is not there, or is no file, is told of", async () => {
  const missing = workshop.build("FROM scratch\n", { context: join(workshop.directory, "none") });
  await expect(missing).rejects.toThrow(refused("CONTEXT_INVALID", /no directory or archive/));
  const directory = workshop.build("FROM scratch\n", { dockerfile: join(workshop.directory, "context") });
  await expect(directory).rejects.toThrow(refused("CONTEXT_INVALID", /no file/));
});

test("what package managers say is in the image is told where it is asked for, of its base too, from layer to layer", async () => {
  const stanza = (name: string, version: string) =>
    `Package: ${name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: ${version}\n`;
  await using asking = await openWorkshop({ listsPackages: true });
  await asking.write({
    old: `${stanza("libc6", "1")}\n${stanza("gone", "1")}`,
    new: stanza("libc6", "2"),
    "os-release": 'NAME="U"\nID=ubuntu\n',
    installed: "P:musl\nV:1\nA:x86_64\n",
    single: "Package: base-files\nVersion: 3\nArchitecture: amd64\n",
  });
  const base = "FROM scratch AS base\nCOPY old /var/lib/dpkg/status\nCOPY os-release /etc/\n";
  const purls = async (dockerfile: string) => (await asking.build(dockerfile)).built.packages?.map(({ purl }) => purl);
  expect(await purls(base)).toEqual(["pkg:deb/ubuntu/gone@1?arch=amd64", "pkg:deb/ubuntu/libc6@1?arch=amd64"]);
  const replaced = `${base}FROM base\nCOPY new /var/lib/dpkg/status\nCOPY single /var/lib/dpkg/status.d/base\n`;
  for (let again = 0; again < 2; again++)
    expect(await purls(replaced)).toEqual([
      "pkg:deb/ubuntu/base-files@3?arch=amd64",
      "pkg:deb/ubuntu/libc6@2?arch=amd64",
    ]);
  expect(await purls("FROM scratch\nCOPY installed /lib/apk/db/\n")).toEqual(["pkg:apk/alpine/musl@1?arch=x86_64"]);
  expect(await purls("FROM scratch\nCOPY new /x\n")).toBeUndefined();
  expect((await workshop.build("FROM scratch\n")).built).not.toHaveProperty("packages");
});

test("what builds have kept goes when it is to, and nothing else of the directory", async () => {
  const { settings } = workshop;
  await workshop.write({ a: "a" });
  const image = "FROM scratch\nCOPY a /\n";
  await workshop.build(image);
  expect((await workshop.build(image)).built.cachedCount).toBe(2);
  await mkdir(join(settings.builderDirectory, "layers/sha256-1/files"), { recursive: true });
  await mkdir(join(settings.builderDirectory, "runs"), { recursive: true });
  const signal = AbortSignal.timeout(5000);
  const options = { clock: systemClock, random: systemRandom, emit: () => undefined, signal };
  expect(await build({ settings, orders: [], forgets: true }, options)).toEqual([]);
  expect(await readdir(settings.builderDirectory)).toEqual(["runs"]);
  expect((await workshop.build(image)).built.cachedCount).toBe(1);
});
