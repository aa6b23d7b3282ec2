import { spawn, spawnSync } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ContentStore, parseReference, pushImage, RegistryClient, writeImage } from "../../sdk/image/index.ts";
import { dockerdPath, dockerPath } from "../support/dockerd.ts";
import { goProgram } from "../support/go-programs.ts";
import { OpenRegistry } from "./registry.fixture.ts";

// Other people's clients log in, push and pull: over TLS where they can be told whom to trust. `npm run setup` installs
// them where it may.

let registry: OpenRegistry;
/** The digest of `base:1`: an image of a native and a Wasm variant. */
let base: string;

beforeAll(async () => {
  registry = await OpenRegistry.start();
  base = await publishBase();
});
afterAll(() => registry?.[Symbol.asyncDispose]());

async function publishBase(): Promise<string> {
  const root = join(registry.directory, "root");
  await mkdir(root);
  await writeFile(join(root, "hello"), "hello");
  const component = join(registry.directory, "component.wasm");
  await writeFile(component, Buffer.from([0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0]));
  const store = await ContentStore.open(join(registry.directory, "store"));
  const image = await writeImage(store, {
    wasm: { path: component, component: { imports: [], exports: [] } },
    native: [
      {
        platform: { os: "linux", architecture: process.arch === "arm64" ? "arm64" : "amd64" },
        layers: [{ directory: root }],
        config: { entrypoint: ["/hello"], env: [], workingDir: "/", user: "0:0", exposedPorts: [] },
      },
    ],
  });
  using client = new RegistryClient();
  const reference = parseReference("base:1", { defaultRegistry: registry.plain });
  await pushImage(client, store, { reference, target: image.index });
  return image.index.digest;
}

const has = (program: string): boolean => spawnSync("sh", ["-c", `command -v ${program}`]).status === 0;

function withClient(program: string | undefined, name: string, body: (program: string) => void): void {
  if (program === undefined)
    console.log(`${name} is not on this machine: whether it understands our registry is not tested`);
  describe.skipIf(program === undefined)(name, () => body(program ?? name));
}

const debian = (name: string): string | undefined => (has(name) ? name : undefined);
const credentials = (): string => `${registry.user.name}:${registry.user.password}`;

withClient(goProgram("crane"), "crane", (crane) => {
  test("logs in, copies, lists, pulls, deletes", async () => {
    const { secure, user } = registry;
    await registry.run(crane, ["auth", "login", secure, "-u", user.name, "--password-stdin"], { input: user.password });
    await registry.run(crane, ["copy", `${registry.plain}/base:1`, `${secure}/crane/app:1`]);
    expect((await registry.run(crane, ["digest", `${secure}/crane/app:1`])).trim()).toBe(base);
    await registry.run(crane, ["tag", `${secure}/crane/app:1`, "2"]);
    expect((await registry.run(crane, ["ls", `${secure}/crane/app`])).trim().split("\n")).toEqual(["1", "2"]);
    expect((await registry.run(crane, ["catalog", secure])).split("\n")).toContain("crane/app");
    await registry.run(crane, ["pull", "--platform=all", "--format=oci", `${secure}/crane/app:1`, "crane-layout"]);
    expect(await readFile(join(registry.directory, "crane-layout/index.json"), "utf8")).toContain(base);
    await registry.run(crane, [
      "append",
      "-b",
      `${secure}/crane/app:1`,
      "-f",
      await archive(),
      "-t",
      `${secure}/crane/more:1`,
    ]);
    await registry.run(crane, ["validate", "--remote", `${secure}/crane/more:1`]);
    await registry.run(crane, ["delete", `${secure}/crane/app:2`]);
    expect(await registry.digestOf("crane/app", "2")).toBeNull();
  });

  test("is told when the password is wrong", async () => {
    const args = ["digest", `${registry.guarded}/crane/app:1`];
    await expect(registry.run(crane, args, { env: { DOCKER_CONFIG: "nowhere" } })).rejects.toThrow(/UNAUTHORIZED/);
  });
});

withClient(goProgram("oras"), "oras", (oras) => {
  test("logs in, pushes files, attaches and discovers what refers to them, pulls", async () => {
    const { secure, user } = registry;
    const app = `${secure}/oras/app:1`;
    await registry.run(oras, ["login", secure, "-u", user.name, "--password-stdin"], { input: user.password });
    await writeFile(join(registry.directory, "file.txt"), "content of a file");
    await registry.run(oras, ["push", app, "--artifact-type", "text/test", "file.txt:text/plain"]);
    await registry.run(oras, ["attach", app, "--artifact-type", "text/note", "--annotation", "note=yes"]);
    const discovered = await registry.run(oras, ["discover", "--format", "json", app]);
    expect(discovered).toContain("text/note");
    await registry.run(oras, ["pull", app, "-o", "oras-out"]);
    expect(await readFile(join(registry.directory, "oras-out/file.txt"), "utf8")).toBe("content of a file");
    await registry.run(oras, ["cp", "-r", app, `${secure}/oras/copy:1`]);
    expect(await registry.digestOf("oras/copy", "1")).toBe(await registry.digestOf("oras/app", "1"));
    expect(await registry.run(oras, ["repo", "tags", `${secure}/oras/copy`])).toBe("1\n");
    await registry.run(oras, ["manifest", "delete", "--force", app]);
    expect(await registry.digestOf("oras/app", "1")).toBeNull();
  });
});

withClient(debian("skopeo"), "skopeo", (skopeo) => {
  test("copies a whole image over TLS, and deletes it", async () => {
    const there = `docker://${registry.secure}/skopeo/app:1`;
    const from = ["--src-tls-verify=false", `docker://${registry.plain}/base:1`];
    await registry.run(skopeo, ["copy", "--all", `--dest-creds=${credentials()}`, ...from, there]);
    const inspected = await registry.run(skopeo, ["inspect", `--creds=${credentials()}`, there]);
    expect(JSON.parse(inspected)).toMatchObject({ RepoTags: ["1"], Os: "linux" });
    await registry.run(skopeo, ["delete", `--creds=${credentials()}`, there]);
    expect(await registry.digestOf("skopeo/app", "1")).toBeNull();
  });
});

// Without a kernel's overlay and without another user: as a test may, in any container.
const storage = (): readonly string[] => [
  ...["--root", join(registry.directory, "storage"), "--runroot", join(registry.directory, "run")],
  ...["--storage-driver", "vfs"],
];

withClient(debian("podman"), "podman", (podman) => {
  test("logs in, pulls, tags, pushes", async () => {
    const { secure, user } = registry;
    await registry.run(podman, [...storage(), "login", "-u", user.name, "--password-stdin", secure], {
      input: user.password,
    });
    await registry.run(podman, [...storage(), "pull", "--tls-verify=false", `${registry.plain}/base:1`]);
    await registry.run(podman, [...storage(), "push", `${registry.plain}/base:1`, `${secure}/podman/app:1`]);
    await registry.run(podman, [...storage(), "rmi", "--all", "--force"]);
    await registry.run(podman, [...storage(), "pull", `${secure}/podman/app:1`]);
    const listed = await registry.run(podman, [...storage(), "images", "--format", "{{.Repository}}:{{.Tag}}"]);
    expect(listed).toContain(`${secure}/podman/app:1`);
  });
});

withClient(debian("buildah"), "buildah", (buildah) => {
  test("builds on our image and pushes the result", async () => {
    const { secure } = registry;
    const run = (...args: readonly string[]): Promise<string> => registry.run(buildah, [...storage(), ...args]);
    const container = (await run("from", "--tls-verify=false", `${registry.plain}/base:1`)).trim();
    await writeFile(join(registry.directory, "added"), "added");
    await run("add", container, "added", "/added");
    await run("commit", container, "built");
    await run("push", `--creds=${credentials()}`, "built", `docker://${secure}/buildah/app:1`);
    const digest = await registry.digestOf("buildah/app", "1");
    expect(digest).toMatch(/^sha256:/);
    await run("pull", `--creds=${credentials()}`, `docker://${secure}/buildah/app@${digest}`);
  });
});

withClient(debian("containerd") === undefined ? undefined : debian("ctr"), "containerd", (ctr) => {
  test("pulls from our registry and pushes to it", async () => {
    const { directory, secure, plain, authority } = registry;
    const socket = join(directory, "containerd.sock");
    const config = `version = 2\nroot = "${directory}/containerd"\nstate = "${directory}/state"\n[grpc]\naddress = "${socket}"\n`;
    await writeFile(join(directory, "containerd.toml"), `${config}disabled_plugins = []\n`);
    const daemon = spawn("containerd", ["--config", join(directory, "containerd.toml")], { stdio: "ignore" });
    try {
      const run = (...args: readonly string[]): Promise<string> => registry.run(ctr, ["-a", socket, ...args]);
      await expect
        .poll(() =>
          run("version").then(
            () => true,
            () => false,
          ),
        )
        .toBe(true);
      await run("content", "fetch", "--plain-http", "--all-platforms", `${plain}/base:1`);
      await run("images", "tag", `${plain}/base:1`, `${secure}/containerd/app:1`);
      // By itself it speaks plain HTTP to this machine.
      const hosts = join(directory, "certs.d", secure);
      await mkdir(hosts, { recursive: true });
      await writeFile(join(hosts, "hosts.toml"), `[host."https://${secure}"]\n  ca = "${authority.file}"\n`);
      const login = ["--user", credentials(), "--hosts-dir", join(directory, "certs.d")];
      await run("images", "push", ...login, `${secure}/containerd/app:1`);
      expect(await registry.digestOf("containerd/app", "1")).toBe(base);
      await run("images", "rm", `${secure}/containerd/app:1`, `${plain}/base:1`);
      await run("content", "fetch", ...login, "--all-platforms", `${secure}/containerd/app:1`);
      expect(await run("images", "ls", "-q")).toContain(`${secure}/containerd/app:1`);
    } finally {
      daemon.kill();
      if (daemon.exitCode === null) await new Promise((resolve) => daemon.once("exit", resolve));
    }
  });
});

withClient(dockerPath(), "docker's client", (docker) => {
  test("makes a list of manifests, pushes and reads it, without an engine", async () => {
    const { directory, guarded } = registry;
    // No engine: what the client does by itself then is what it would ask of one. Logging in is none of it, in old ones.
    const run = (args: readonly string[]): Promise<string> =>
      registry.run(docker, ["--host", `unix://${directory}/no-engine.sock`, ...args], {
        env: { DOCKER_CONFIG: join(directory, "docker-client") },
      });
    await mkdir(join(directory, "docker-client"));
    const auth = Buffer.from(credentials()).toString("base64");
    await writeFile(join(directory, "docker-client/config.json"), JSON.stringify({ auths: { [guarded]: { auth } } }));
    const native = await inDockersFormat();
    await run(["manifest", "create", "--insecure", `${guarded}/base:2`, `${guarded}/base@${native}`]);
    const pushed = (await run(["manifest", "push", "--insecure", `${guarded}/base:2`])).trim();
    expect(await registry.digestOf("base", "2")).toBe(pushed);
    expect(await run(["manifest", "inspect", "--insecure", `${guarded}/base:2`])).toContain(native);
  });
});

/** The native image of `base:1` in Docker's own format, which is all that clients before 23 can read. Its digest. */
async function inDockersFormat(): Promise<string> {
  const at = (reference: string): string => `http://${registry.plain}/v2/base/manifests/${reference}`;
  const index = JSON.parse(await (await fetch(at("1"))).text()) as {
    manifests: { digest: string; platform: { os: string } }[];
  };
  const native = index.manifests.find(({ platform }) => platform.os === "linux")?.digest ?? "";
  const text = (await (await fetch(at(native))).text())
    .replaceAll("vnd.oci.image.manifest.v1+json", "vnd.docker.distribution.manifest.v2+json")
    .replaceAll("vnd.oci.image.config.v1+json", "vnd.docker.container.image.v1+json")
    .replaceAll("vnd.oci.image.layer.v1.tar+gzip", "vnd.docker.image.rootfs.diff.tar.gzip");
  const headers = { "content-type": "application/vnd.docker.distribution.manifest.v2+json" };
  const stored = await fetch(at("docker"), { method: "PUT", body: text, headers });
  return stored.headers.get("docker-content-digest") ?? "";
}

const isRoot = process.getuid?.() === 0;
const dockerd = dockerPath() === undefined || !isRoot ? undefined : dockerdPath();

withClient(dockerd, "Docker's engine", (engine) => {
  test("logs in, pushes, pulls, and is refused when it is logged out", async () => {
    const { directory, guarded, user } = registry;
    const socket = `unix://${join(directory, "docker.sock")}`;
    const config = join(directory, "docker.json");
    await writeFile(config, "{}");
    // Without a network and without the kernel's overlay: it only moves images here.
    const daemon = spawn(
      engine,
      [
        ...["-H", socket, "--data-root", join(directory, "docker-data"), "--exec-root", join(directory, "docker-exec")],
        ...["-p", join(directory, "docker.pid"), "--iptables=false", "--ip6tables=false", "--bridge=none"],
        ...["--storage-driver", "vfs", "--config-file", config],
      ],
      { stdio: "ignore" },
    );
    const docker = (args: readonly string[], input?: string): Promise<string> =>
      registry.run(dockerPath() ?? "docker", ["-H", socket, ...args], input === undefined ? {} : { input });
    try {
      await expect
        .poll(
          () =>
            docker(["version"]).then(
              () => true,
              () => false,
            ),
          { interval: 250 },
        )
        .toBe(true);
      const app = `${guarded}/docker/app:1`;
      await docker(["login", "-u", user.name, "--password-stdin", guarded], user.password);
      await docker(["import", await archive(), app]);
      await docker(["push", app]);
      expect(await registry.digestOf("docker/app", "1")).toMatch(/^sha256:/);
      await docker(["rmi", app]);
      await docker(["pull", app]);
      await docker(["rmi", app]);
      await docker(["logout", guarded]);
      await expect(docker(["pull", app])).rejects.toThrow(/denied/);
    } finally {
      daemon.kill();
      if (daemon.exitCode === null) await new Promise((resolve) => daemon.once("exit", resolve));
    }
  });
});

/** A layer to append: an archive of nothing. */
async function archive(): Promise<string> {
  const path = join(registry.directory, "layer.tar");
  await writeFile(path, Buffer.alloc(1024));
  return path;
}
