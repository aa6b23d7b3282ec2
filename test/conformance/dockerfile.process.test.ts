import { execFileSync, spawnSync } from "node:child_process";
import { readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openWorkshop, readImage } from "../../runtime/build/build.fixture.ts";
import { ContentStore, digestOf } from "../../sdk/image/index.ts";
import { rawTar } from "../../runtime/image/image.fixture.ts";

// One Dockerfile with all that needs no RUN, by our builder and by buildah: the same config and the same files.

const dockerfile = `ARG BEFORE=from-before
FROM scratch AS first
COPY d/e /only/here/
FROM scratch
MAINTAINER Somebody <some@example.org>
ARG BEFORE
ENV A=1 B="x $A" C='$A' D=a\\ b E="q\\"q" F=\${A:-z} G=\${NOPE:-d} H=\${A:+yes} I=$A$A
ENV OLD style value $A
ENV H2=\${A:+yes} I2=\${A}\${A} J="\${NOPE}" A=2
ARG ARG1=def ARG2
LABEL "com.example.vendor"="ACME Incorporated" multi="a \\
b" before=$BEFORE
# in between
LABEL x=$ARG1 y=\${ARG2:-none}
EXPOSE 80 443/tcp 53/udp
VOLUME ["/data"]
WORKDIR /a/b
WORKDIR c
WORKDIR $OLD
COPY d /dst
COPY d/ dst2/
COPY x*.txt d /many/
COPY ["sp ace/s", "/w s/"]
COPY flink /fl
COPY dlink /dl
COPY lk /lk
COPY . /all/
ADD a.tar /un/
ADD a.tar /un2
COPY --chmod=700 x1.txt /bin/newtool
COPY --chown=12:34 d /own
COPY lk/real /r2/
COPY x2.txt /r2/tod/
COPY x2.txt /r2/tod/sub/
COPY x1.txt /dst/b
COPY --from=first /only /only
COPY --from=0 /only/here/c /c
ENTRYPOINT ["/bin/echo"]
CMD hello $A
USER 1000
STOPSIGNAL 9
HEALTHCHECK --interval=30s --timeout=1m30s --retries=3 CMD /bin/true
ONBUILD RUN echo hi
SHELL ["/bin/sh", "-x", "-c"]
`;

// It mounts what it copies into.
const hasBuildah = process.getuid?.() === 0 && spawnSync("buildah", ["--version"]).status === 0;

test.skipIf(!hasBuildah)("a Dockerfile means what it means to buildah", async () => {
  await using workshop = await openWorkshop();
  const context = join(workshop.directory, "context");
  const archive = rawTar([
    { name: "in/", flag: "5", mode: 0o750, uid: 3 },
    { name: "in/f", body: "F", uid: 3, mode: 0o600 },
  ]);
  await workshop.write({ "d/b": "b\n", "d/e/c": "c\n", "sp ace/s": "s\n", "x1.txt": "1\n", "x2.txt": "2\n" });
  await workshop.write({ "a.tar": archive, ".dockerignore": "**/*.bak\nd/e/*.log\n!d/e/keep.log\n" });
  await workshop.write({
    "x.bak": "",
    "d/e/gone.log": "",
    "d/e/keep.log": "kept\n",
    "lk/keep": "",
    "lk/real/f": "r\n",
  });
  const links = { "d/link": "b", "lk/tod": "../d", flink: "d/b", dlink: "d", "lk/real/tod": "/elsewhere" };
  for (const [name, target] of Object.entries(links)) await symlink(target, join(context, name));
  const ours = await workshop.build(dockerfile);

  const buildah = (...args: readonly string[]): void => {
    const storage = ["--storage-driver", "vfs", "--root", join(workshop.directory, "containers")];
    execFileSync("buildah", [...storage, "--runroot", join(workshop.directory, "run"), ...args], { stdio: "pipe" });
  };
  await writeFile(join(context, "Dockerfile"), dockerfile);
  const file = join(workshop.directory, "Dockerfile");
  buildah("bud", "--isolation", "chroot", "--layers=false", "--format", "docker", "-t", "theirs", "-f", file, context);
  const pushed = join(workshop.directory, "pushed");
  buildah("push", "theirs", `dir:${pushed}`);
  const store = await ContentStore.open(join(workshop.directory, "their-store"));
  for (const name of await readdir(pushed)) await store.put(await readFile(join(pushed, name)), "any");
  const manifest = await readFile(join(pushed, "manifest.json"));
  expect(await store.has(digestOf(manifest))).toBe(true);
  const theirs = await readImage(store, manifest, workshop.directory);

  // What buildah makes only because it runs programs, and what it says of itself.
  const { data: _, "all/Dockerfile": __, ...files } = theirs.files;
  expect(ours.files).toEqual(files);
  const { Labels: theirLabels, ...config } = theirs.config["config"] as Config;
  const { Labels: ourLabels, ...own } = ours.config["config"] as Config;
  const { "io.buildah.version": ___, ...labels } = theirLabels;
  expect(ourLabels).toEqual(labels);
  expect(config).toMatchObject(own);
  expect(theirs.config["author"]).toBe(ours.config["author"]);
});

type Config = Readonly<Record<string, unknown>> & { readonly Labels: Readonly<Record<string, string>> };
