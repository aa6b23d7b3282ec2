import { createSocket } from "node:dgram";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { chown, copyFile, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RunningPod } from "../pod/pod-runtime.ts";
import { Cells } from "../sandbox/cell/cells.ts";
import { runCommand } from "../sandbox/kernel/command.ts";
import type { AsUser } from "./testing/as-user-main.ts";
import { guestComponent } from "./testing/components.ts";
import type { Findings, Temptations } from "./testing/evil.ts";
import { never, RuntimeFixture } from "./testing/runtime-fixture.ts";

const evil = fileURLToPath(new URL("testing/evil.ts", import.meta.url));

/** Cells whose host processes load the evil module before anything else. */
async function evilCells(directory: string): Promise<Cells> {
  const cells = await Cells.open({ directory });
  const start = cells.start.bind(cells);
  cells.start = (program) =>
    start({
      ...program,
      nodeArguments: program.nodeArguments.some((word) => word.endsWith("host-main.ts"))
        ? ["--import", evil, ...program.nodeArguments]
        : program.nodeArguments,
    });
  return cells;
}

const cells = await Cells.open({ directory: await mkdtemp(join(tmpdir(), "sh-cells-")) });
const { tree, ownUser, closesCalls } = cells.ability;

/** What a machine of any kind may refuse with: not allowed, not there, read-only. Never "it was tried, and was wrong". */
const refusals = ["EPERM", "EACCES", "ENOENT", "EROFS", "ENOSYS", "ESRCH", "ECONNREFUSED", "ERR_ACCESS_DENIED"];

async function ask(socketPath: string, temptations: Temptations): Promise<Findings> {
  const socket = connect(socketPath);
  await once(socket, "connect");
  socket.write(JSON.stringify(temptations));
  let said = "";
  socket.setEncoding("utf8").on("data", (text: string) => (said += text));
  await once(socket, "close");
  return JSON.parse(said) as Findings;
}

const hostDirectories = async (runDirectory: string): Promise<readonly string[]> =>
  (await readdir(runDirectory)).filter((name) => /^h-\w+$/.test(name)).map((name) => join(runDirectory, name));

/** The directory of the host process that serves the pod. */
async function directoryOf(fixture: RuntimeFixture, pod: RunningPod): Promise<string> {
  for (const directory of await hostDirectories(fixture.runDirectory)) {
    if (existsSync(join(directory, `p-${pod.uid}`))) return directory;
  }
  throw new Error("the pod has no host process");
}

async function pidOf(directory: string): Promise<number> {
  return (JSON.parse(await readFile(`${directory}.pid`, "utf8")) as { readonly pid: number }).pid;
}

describe.skipIf(process.arch !== "x64" || tree === "none" || !closesCalls)("a host process that was taken over", () => {
  let fixture: RuntimeFixture;
  let outside: Server;
  let byPath: Server;
  let findings: Findings;
  let connections = 0;
  let datagrams = 0;
  let own: RunningPod;
  const udp = createSocket("udp4");

  beforeAll(async () => {
    fixture = await RuntimeFixture.open();
    const runtime = await fixture.runtime([], { cells: await evilCells(join(fixture.directory, "node")) });
    const image = await fixture.guestImage();
    own = await runtime.start(fixture.launch(image, "evil"), never);
    const other = await runtime.start(fixture.launch(image, "victim"), never);
    const [ownDirectory, otherDirectory] = [await directoryOf(fixture, own), await directoryOf(fixture, other)];
    const count = (): number => connections++;
    outside = createServer(count).listen(0, "::");
    byPath = createServer(count).listen(join(fixture.directory, "machine.sock"));
    const abstractSocket = `shallop-test-${process.pid}`;
    createServer(count).listen(`\0${abstractSocket}`).unref();
    udp.on("message", () => datagrams++);
    udp.bind(0, "127.0.0.1");
    await Promise.all([once(outside, "listening"), once(udp, "listening")]);
    await writeFile(join(fixture.directory, "secret"), "secret", { mode: 0o644 });
    findings = await ask(join(ownDirectory, "evil.sock"), {
      otherDirectory,
      otherComponents: join(fixture.directory, "hosts", "components", otherDirectory.slice(-8)),
      otherPid: await pidOf(otherDirectory),
      ownPid: await pidOf(ownDirectory),
      runDirectory: fixture.runDirectory,
      secretFile: join(fixture.directory, "secret"),
      ownCode: evil,
      tcpPort: (outside.address() as AddressInfo).port,
      udpPort: udp.address().port,
      unixSocket: join(fixture.directory, "machine.sock"),
      abstractSocket,
    });
  });
  afterAll(async () => {
    for (const server of [outside, byPath]) server.close();
    udp.close();
    await fixture[Symbol.asyncDispose]();
  });

  test("is refused everything it tries", () => {
    expect(Object.keys(findings).length).toBeGreaterThan(80);
    const got = Object.entries(findings).filter(([, outcome]) => !refusals.includes(outcome));
    expect(got).toEqual([]);
  });

  test("reaches nobody", () => {
    expect({ connections, datagrams }).toEqual({ connections: 0, datagrams: 0 });
    expect(readFileSync(evil, "utf8")).not.toContain("\n// evil\n");
  });

  test("serves on", async () => {
    using client = await fixture.connect(own);
    expect((await client.get("/hello")).head.status).toBe(200);
  });
});

describe.skipIf(tree === "none")("a host process", () => {
  test.skipIf(!ownUser)("is a user of its own, without rights, in namespaces of its own", async () => {
    await using fixture = await RuntimeFixture.open();
    const runtime = await fixture.runtime();
    const image = await fixture.guestImage();
    const pods = [
      await runtime.start(fixture.launch(image, "one"), never),
      await runtime.start(fixture.launch(image, "two"), never),
    ];
    const seen = await Promise.all(
      pods.map(async (pod) => {
        const directory = await directoryOf(fixture, pod);
        const pid = await pidOf(directory);
        const status = await readFile(`/proc/${pid}/status`, "utf8");
        const field = (name: string): string => new RegExp(`^${name}:[ \\t]*(.*)$`, "m").exec(status)?.[1] ?? "";
        const namespaces = await Promise.all(
          ["mnt", "net", "pid", "ipc", "uts", "cgroup"].map(
            async (kind) => (await stat(`/proc/${pid}/ns/${kind}`)).ino,
          ),
        );
        return { uid: field("Uid").split("\t")[0], field, namespaces, owner: (await stat(directory)).uid };
      }),
    );
    const ours = await Promise.all(
      ["mnt", "net", "pid", "ipc", "uts", "cgroup"].map(async (kind) => (await stat(`/proc/self/ns/${kind}`)).ino),
    );
    expect(new Set(seen.map(({ uid }) => uid)).size).toBe(2);
    for (const { uid, field, namespaces, owner } of seen) {
      expect(Number(uid)).toBe(owner);
      expect(Number(uid)).toBeGreaterThanOrEqual(0x7000_0000);
      for (const set of ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]) expect(field(set)).toMatch(/^0+$/);
      expect([field("NoNewPrivs"), field("Seccomp"), field("Groups").trim()]).toEqual(["1", "2", ""]);
      for (const [index, inode] of namespaces.entries()) expect(inode).not.toBe(ours[index]);
    }
    expect(seen[0]?.namespaces.filter((inode) => seen[1]?.namespaces.includes(inode))).toEqual([]);
  });

  test("killed, or its agent killed, leaves no mount, process, directory or link behind", async () => {
    const directory = await mkdtemp(join(tmpdir(), "sh-left-"));
    let own = "";
    {
      await using fixture = await RuntimeFixture.open();
      own = fixture.directory;
      const first = await fixture.runtime();
      const image = await fixture.guestImage();
      const pod = await first.start(fixture.launch(image, "one"), never);
      const place = await directoryOf(fixture, pod);
      process.kill(await pidOf(place), "SIGKILL");
      await fixture.until(() => fixture.exits.has(pod.uid));
      await fixture.until(() => !existsSync(place));
      const orphan = await first.start(fixture.launch(image, "two"), never);
      const left = await directoryOf(fixture, orphan);
      // The agent goes without a word; its process dies before the next one looks.
      await first.close();
      process.kill(await pidOf(left), "SIGKILL");
      const second = await fixture.runtime();
      expect(await second.adopt()).toEqual([]);
      expect(existsSync(left)).toBe(false);
      await second.close();
      expect(await readdir(fixture.runDirectory)).toEqual([]);
      expect(await readdir(join(fixture.directory, "hosts", "components"))).toEqual([]);
    }
    // Others of this machine mount, too.
    expect(await readFile("/proc/self/mountinfo", "utf8")).not.toContain(own);
    await rm(directory, { recursive: true });
  });
});

test.skipIf(process.getuid?.() !== 0)("a user without rights has host processes in a user namespace", async () => {
  const directory = await mkdtemp(join(tmpdir(), "sh-user-"));
  const server = createHttpServer((_, response) => response.end("outside")).listen(0, "127.0.0.1");
  await once(server, "listening");
  const component = join(directory, "guest.wasm");
  await copyFile((await guestComponent()).path, component);
  const nobody = "65534";
  for (const path of [directory, component]) await chown(path, Number(nobody), Number(nobody));
  const program = fileURLToPath(new URL("testing/as-user-main.ts", import.meta.url));
  const { code, stdout, stderr } = await runCommand(
    "setpriv",
    [
      ...["--reuid", nobody, "--regid", nobody, "--clear-groups", process.execPath, "--no-warnings", program],
      ...[component, String((server.address() as AddressInfo).port)],
    ],
    { timeoutMs: 60_000, env: { TMPDIR: directory } },
  );
  server.close();
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const found = JSON.parse(stdout) as AsUser;
  expect(found).toMatchObject({ status: 200, fetched: "200 outside", left: [] });
  // Where this machine has none for users, that is said.
  expect(found.missing.join()).toMatch(found.tree === "user" ? /only root may give them others/ : /not allowed here/);
  if (found.tree === "user") {
    for (const status of found.processes) {
      expect(status).toMatch(/^Uid:\t65534\t/m);
      expect(status).toMatch(/^CapBnd:\t0+$/m);
      expect(status).toMatch(/^Seccomp:\t2$/m);
    }
  }
  await rm(directory, { recursive: true });
});

test("an egress proxy that is killed is started again, and pods reach what they may", async () => {
  await using fixture = await RuntimeFixture.open();
  const runtime = await fixture.runtime(["127.0.0.1"]);
  const pod = await runtime.start(fixture.launch(await fixture.guestImage()), never);
  using client = await fixture.connect(pod);
  const server = createHttpServer((_, response) => response.end("outside")).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const fetched = async (): Promise<string> => (await client.get(`/fetch?127.0.0.1:${port}`)).body.toString();
  await fixture.until(async () => (await fetched()) === "200 outside");
  const pid = await pidOf(join(fixture.runDirectory, "e"));
  process.kill(pid, "SIGKILL");
  // Between the two nobody is recorded.
  await fixture.until(async () => (await pidOf(join(fixture.runDirectory, "e")).catch(() => pid)) !== pid);
  await fixture.until(async () => (await fetched()) === "200 outside");
  server.close();
});
