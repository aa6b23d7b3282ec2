import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { guestComponent } from "../../runtime/host/testing/components.ts";
import { toolComponent } from "../../runtime/standalone/testing/programs.ts";
import { publishBusybox } from "../support/busybox.ts";
import { dockerPath } from "../support/dockerd.ts";
import { type Kubectl, needKubectl } from "../support/kubectl.ts";
import { eventually, freePort, Platform } from "../support/platform.ts";
import { Workshop } from "../support/workshop.ts";

// The Docker API as a user of Docker knows it: the stock command line against one platform.

interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

let platform: Platform;
let kubectl: Kubectl;
let directory: string;
let socket: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "shallop-docker-"));
  platform = await Platform.start({ args: ["--docker"] });
  socket = join(platform.dataDirectory, "docker.sock");
  kubectl = await needKubectl(platform.kubeconfig);
  await publishBusybox(platform, directory);
  // Its program is a server; Docker's own busybox is a shell.
  const shell = await mkdtemp(join(directory, "shell-"));
  await writeFile(join(shell, "passwd"), "root:x:0:0::/:/bin/sh\napp:x:1001:1002::/:/bin/sh\n");
  await writeFile(join(shell, "group"), "root:x:0:\napp:x:1002:\nextra:x:77:app\n");
  const lines = ["FROM busybox:1", "COPY passwd group /etc/", "ENTRYPOINT []", 'CMD ["/bin/sh"]', ""];
  await writeFile(join(shell, "Dockerfile"), lines.join("\n"));
  await d("build", "-q", "-t", "shell:1", shell);
});
afterEach(async ({ task }) => {
  if (task.result?.state === "fail") console.log(await platform?.logs());
});
afterAll(async () => {
  await kubectl?.[Symbol.asyncDispose]();
  await platform?.[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

/** `docker ARGS` to its end. */
function docker(args: readonly string[], input?: string | Buffer): Promise<Result> {
  const program = dockerPath();
  if (program === undefined) throw new Error("docker is not there; npm run setup");
  const env = {
    PATH: process.env["PATH"] ?? "",
    HOME: directory,
    DOCKER_HOST: `unix://${socket}`,
    DOCKER_CONFIG: join(directory, "config"),
    DOCKER_BUILDKIT: "0",
  };
  return new Promise((resolve) => {
    // Its own signal handling waits for a container that hangs.
    const options = { env, timeout: 200_000, killSignal: "SIGKILL", encoding: "buffer", maxBuffer: 1 << 26 } as const;
    const child = execFile(program, args, options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
      resolve({ code, stdout: stdout.toString("latin1"), stderr: stderr.toString() });
    });
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(input ?? "");
  });
}

/** As `docker`, and fails unless it exits with 0. */
async function d(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await docker(args);
  expect(code, `docker ${args.join(" ")}: ${stderr}`).toBe(0);
  return stdout.trim();
}

test("the socket is for root and its group; version and info say what this is", async () => {
  expect((await stat(socket)).mode & 0o777).toBe(0o660);
  expect(await d("version", "--format", "{{.Server.Os}} {{.Server.APIVersion}}")).toBe("linux 1.51");
  expect(await d("info", "--format", "{{.Driver}} {{.Swarm.LocalNodeState}}")).toBe("overlay2 inactive");
});

test("images: tag, history, save, load, push, rmi, and what there is not", async () => {
  await d("tag", "shell:1", "copy:2");
  const id = await d("images", "-q", "--no-trunc", "copy");
  expect(id).toMatch(/^sha256:[0-9a-f]{64}$/);
  expect(await d("history", "--format", "{{.CreatedBy}}", "copy:2")).toContain("CMD");
  const archive = join(directory, "copy.tar");
  await d("save", "-o", archive, "copy:2");
  expect(await d("push", "copy:2")).toContain(`digest: ${id}`);
  expect(await d("rmi", "copy:2")).toBe("Untagged: copy:2");
  expect(await d("load", "-i", archive)).toBe("Loaded image: copy:2");
  expect(await d("rmi", "copy:2")).toContain("Untagged");
  expect((await docker(["rmi", "nosuch:1"])).stderr).toContain("No such image: nosuch:1");
  expect((await docker(["pull", "nosuch:1"])).stderr).toContain("manifest for nosuch:1 not found");
});

test("run: both outputs, exit codes, input, a program that is not there", async () => {
  expect(await docker(["run", "--rm", "shell:1", "sh", "-c", "echo out; echo err >&2; exit 7"])).toEqual({
    code: 7,
    stdout: "out\n",
    stderr: "err\n",
  });
  expect(await docker(["run", "--rm", "-i", "-e", "A=b c", "shell:1", "sh"], "echo $A; exit 3")).toMatchObject({
    code: 3,
    stdout: "b c\n",
  });
  // To the last byte: no line is ended that was not, and what is much is all there.
  const much =
    "i=0; while [ $i -lt 5000 ]; do i=$((i+1)); echo $i 0123456789012345678901234567890123456789; done; printf end";
  const lines = Array.from({ length: 5000 }, (_, index) => `${index + 1} ${"0123456789".repeat(4)}\n`);
  expect((await docker(["run", "--rm", "shell:1", "sh", "-c", much])).stdout).toBe(`${lines.join("")}end`);
  expect((await docker(["run", "--rm", "shell:1", "nosuch"])).code).toBe(127);
  expect((await docker(["run", "--rm", "shell:1", "/bin/"])).code).toBe(126);
  expect(await d("ps", "-aq")).toBe("");
});

test("a component that serves: published port, logs, which variant runs and why", async () => {
  await using workshop = await Workshop.open();
  const component = await readFile((await guestComponent()).path);
  const image = await workshop.publish(platform, "server", { component });
  const port = await freePort();
  await d("network", "create", "mixed");
  await d("run", "-d", "--name", "component", "--network", "mixed", "-p", `127.0.0.1:${port}:8080`, image);
  const page = eventually("the component answers", async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/hello`);
    return answer.ok ? answer.text() : undefined;
  });
  expect(await page).toBe("hello\n");
  const seen = await d("inspect", "-f", "{{.Platform}} {{json .Variant}}", "component");
  expect(seen).toMatch(/^wasi \{"ImageID":"[^"]+@sha256:[0-9a-f]{64}","Kind":"wasm","Reason":"Wasm variant[^"]+"\}$/);
  // Native containers of its network find it by name; others do not.
  const ask = ["shell:1", "wget", "-qO-", "http://component/hello"];
  expect(await d("run", "--rm", "--network", "mixed", ...ask)).toBe("hello");
  expect((await docker(["run", "--rm", ...ask])).stderr).toContain("bad address");
  await d("rm", "-f", "component");
  await d("network", "rm", "mixed");
});

test("a component that is a command: arguments, environment, input, exit codes, and --platform chooses", async () => {
  await using workshop = await Workshop.open();
  const component = await toolComponent();
  const image = await workshop.publish(platform, "tool", { component, foreignPlatform: "linux/s390x" });
  const words = await d("run", "--name", "tool", image, "a", "two words");
  expect(words.split("\0")).toEqual(["tool", "a", "two words", ""]);
  expect(await d("run", "--rm", "-e", "A=b c", image, "variables")).toBe("A=b c\0");
  expect(await d("logs", "tool")).toBe(words);
  expect(await d("inspect", "-f", "{{.State.Status}} {{.Variant.Kind}}", "tool")).toBe("exited wasm");
  await d("rm", "tool");
  const input = "a line\nno newline at the end";
  expect(await docker(["run", "-i", "--rm", image, "cat"], input)).toMatchObject({ code: 0, stdout: input });
  expect((await docker(["run", "--rm", image, "exit"])).code).toBe(7);
  expect(await docker(["run", "--rm", image, "trap"])).toMatchObject({ code: 134 });
  expect((await docker(["run", "--rm", "--platform", "wasi/wasm", image, "exit"])).code).toBe(7);
  const refused = await docker(["run", "--rm", "--platform", "linux/amd64", image, "exit"]);
  expect(refused.code).toBe(125);
  expect(refused.stderr).toContain("does not match the specified platform (linux/amd64)");
  // One that runs on is ended, and its code says how.
  await d("run", "-d", "--name", "spinner", image, "spin");
  expect((await docker(["exec", "spinner", "ls"])).stderr).toContain(
    "runs a component, in which no command can be run",
  );
  await d("kill", "spinner");
  expect(await d("wait", "spinner")).toBe("137");
  await d("rm", "spinner");
});

test("a container in the background: ports, volumes, exec, logs, stop, start, rm; and it is a pod", async () => {
  const port = await freePort();
  const shared = join(directory, "shared");
  const id = await d(
    ...["run", "-d", "--name", "web", "-p", `127.0.0.1:${port}:8080`, "-v", "pages:/pages", "-v", `${shared}:/shared`],
    ...["--label", "a=b", "--memory", "64m", "--cpus", ".5", "shell:1"],
    ...["sh", "-c", "echo begun; exec httpd -f -p 8080 -h /pages"],
  );
  expect(id).toMatch(/^[0-9a-f]{64}$/);
  expect(
    await d("exec", "web", "sh", "-c", "echo hello > /pages/index.html; id -u > /shared/who; cat /shared/who"),
  ).toBe("0");
  const page = (): Promise<string> =>
    eventually("the published port answers", async () => {
      const answer = await fetch(`http://127.0.0.1:${port}/index.html`);
      return answer.ok ? answer.text() : undefined;
    });
  expect(await page()).toBe("hello\n");
  expect((await stat(join(shared, "who"))).uid).toBe(0);
  expect((await docker(["exec", "-w", "/pages", "-e", "Q=1", "web", "sh", "-c", "pwd; echo $Q; exit 9"])).stdout).toBe(
    "/pages\n1\n",
  );
  expect((await docker(["exec", "web", "nosuch"])).code).toBe(127);
  expect(await d("exec", "-u", "app", "web", "id")).toBe("uid=1001(app) gid=1002(app) groups=77(extra)");
  expect(await d("exec", "-u", "1001:extra", "web", "id")).toBe("uid=1001(app) gid=77(extra)");
  await d(
    "run",
    "-d",
    "--name",
    "closed",
    "--security-opt",
    "no-new-privileges",
    "-u",
    "1001",
    "shell:1",
    "sleep",
    "99",
  );
  expect(await d("exec", "-u", "0", "closed", "id", "-u")).toBe("0");
  await d("rm", "-f", "closed");
  expect(await docker(["exec", "-u", "nosuch", "web", "id"])).toMatchObject({
    ...{ code: 126, stderr: expect.stringContaining("unable to find user") },
  });
  expect(await d("logs", "web")).toBe("begun");
  expect(await d("ps", "--filter", "label=a=b", "--format", "{{.Names}} {{.Ports}}")).toBe(
    `web 127.0.0.1:${port}->8080/tcp`,
  );
  const seen = await kubectl([
    "get",
    "pod",
    "web",
    "-n",
    "docker",
    "-o",
    "jsonpath={.spec.containers[0].resources.limits}",
  ]);
  expect(JSON.parse(seen.stdout)).toEqual({ cpu: "500m", memory: String(64 << 20) });
  expect((await docker(["rm", "web"])).stderr).toContain("container is running");
  expect((await docker(["run", "--name", "web", "shell:1"])).stderr).toContain("is already in use by container");
  await d("stop", "-t", "1", "web");
  expect(await d("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "web")).toBe("exited 137");
  expect(await d("logs", "web")).toBe("begun");
  await d("start", "web");
  expect(await page()).toBe("hello\n");
  expect(await d("logs", "web")).toBe("begun\nbegun");
  await d("update", "--cpuset-cpus", "0", "--cpu-shares", "100", "web");
  await eventually("it is held to one processor", async () =>
    /list:\t0$/m.test(await d("exec", "web", "grep", "Cpus_allowed_list", "/proc/1/status")) ? true : undefined,
  );
  await d("update", "--cpus", ".25", "--memory", "24m", "--memory-swap", "24m", "web");
  expect(await d("stats", "--no-stream", "--format", "{{.MemUsage}}", "web")).toContain("/ 24MiB");
  expect(await d("inspect", "-f", "{{.HostConfig.NanoCpus}} {{.State.Running}}", "web")).toBe("250000000 true");
  await d("update", "--pids-limit", "50", "web");
  expect(await d("inspect", "-f", "{{.HostConfig.PidsLimit}} {{.State.Running}}", "web")).toBe("50 true");
  const usage = await d("system", "df", "--format", "{{.Type}} {{.TotalCount}} {{.Active}} {{.Size}}");
  expect(usage).toMatch(/Images \d+ 1 [\d.]+MB\nContainers 1 1 \d+B\nLocal Volumes 1 1 6B\nBuild Cache/);
  await d("rm", "-f", "web");
  await d("volume", "rm", "pages");
  await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toThrow();
});

test("cp, diff, commit, export, import; what a container has written is there after a restart", async () => {
  const place = await mkdtemp(join(directory, "copies-"));
  const local = join(place, "local");
  await writeFile(local, "from outside\n");
  // Before it has ever run: its image's files, and what is put beside them.
  await d(
    "create",
    "--name",
    "files",
    "-v",
    "kept:/kept",
    "shell:1",
    "sh",
    "-c",
    "date >> /starts; rm /bin/wc; exec sleep 100",
  );
  await d("cp", local, "files:/www/before");
  expect(await d("cp", "files:/www/before", join(place, "before"))).toBe("");
  expect(await readFile(join(place, "before"), "utf8")).toBe("from outside\n");
  await d("start", "files");
  await d("exec", "files", "sh", "-c", "ln -s / /www/root; test -f /www/before; until test ! -e /bin/wc; do :; done");
  await d("cp", local, "files:/www/root/www/through");
  await d("cp", local, "files:/kept/here");
  expect(await d("exec", "files", "cat", "/www/through", "/kept/here")).toBe("from outside\nfrom outside");
  expect((await docker(["cp", "files:/www/root/../../../nosuch", place])).stderr).toContain("Could not find the file");
  const changes = (await d("diff", "files")).split("\n");
  expect(changes).toEqual(
    expect.arrayContaining(["C /bin", "D /bin/wc", "A /starts", "C /www", "A /www/before", "A /www/root"]),
  );
  await d("restart", "-t", "0", "files");
  await d("exec", "files", "sh", "-c", "until test $(grep -c . /starts) = 2; do :; done");
  await d("commit", "-c", 'CMD ["cat", "/www/before"]', "files", "committed:1");
  expect(await d("run", "--rm", "committed:1")).toBe("from outside");
  const exported = await docker(["export", "files"]);
  const imported = ["import", "-c", 'CMD ["/bin/cat", "/www/through"]', "-", "imported:1"];
  expect((await docker(imported, Buffer.from(exported.stdout, "latin1"))).code).toBe(0);
  expect(await d("run", "--rm", "imported:1")).toBe("from outside");
  await d("rm", "-f", "files");
  await d("volume", "rm", "kept");
  expect(await readdir(join(platform.dataDirectory, "node/native/roots"))).toEqual([]);
});

test("pause and unpause: frozen by the kernel, told by ps and events; a paused one can be stopped", async () => {
  const counts = "i=0; while :; do i=$((i+1)); echo $i; usleep 1000; done";
  await d("run", "-d", "--name", "icy", "shell:1", "sh", "-c", counts);
  const status = (): Promise<string> => d("ps", "-a", "--filter", "name=icy", "--format", "{{.Status}}");
  expect((await docker(["unpause", "icy"])).stderr).toContain("is not paused");
  await d("pause", "icy");
  const last = (): Promise<string> => d("logs", "--tail", "1", "icy");
  const [before, shown] = [await last(), await status()];
  expect(shown).toContain("(Paused)");
  expect(await last()).toBe(before);
  expect((await docker(["pause", "icy"])).stderr).toContain("is already paused");
  expect((await docker(["exec", "icy", "true"])).stderr).toContain("is paused");
  // Both look from outside.
  expect(await d("top", "icy", "-o", "pid,args")).toMatch(/^PID +COMMAND\n\d+ +sh -c i=0/);
  const used = await d("stats", "--no-stream", "--format", "{{.Name}} {{.MemUsage}} {{.NetIO}} {{.PIDs}}", "icy");
  expect(used).toMatch(/^icy [\d.]+[KM]iB \/ [\d.]+[MG]iB [\d.]+k?B \/ [\d.]+k?B [12]$/);
  await d("unpause", "icy");
  expect(await status()).toMatch(/^Up [^(]*$/);
  expect(await d("exec", "icy", "echo", "back")).toBe("back");
  expect(await last()).not.toBe(before);
  await d("pause", "icy");
  await d("stop", "-t", "0", "icy");
  expect(await status()).toContain("Exited (137)");
  await d("rm", "icy");
  const told = await d(
    ...["events", "--since", "5m", "--until", (Date.now() / 1000).toFixed(3)],
    ...["--filter", "container=icy", "--format", "{{.Action}}"],
  );
  expect(told).toMatch(/create\nstart\npause\nunpause\n[^]*pause\nunpause\n[^]*die/);
});

test("flags of run: names, users, limits, shared memory, no network; what there is not is refused", async () => {
  const names = ["--add-host", "db:1.2.3.4", "--hostname", "host1", "--shm-size", "8m", "--ulimit", "nofile=100:200"];
  const look =
    "cat /etc/hostname; grep db /etc/hosts; ulimit -n; df -k /dev/shm | tail -1; ls /sys/class/net; id; ls /www";
  const seen = await d(
    ...["run", "--rm", ...names, "--network", "none", "--group-add", "55", "-v", "filled:/www"],
    ...["--cap-drop", "ALL", "shell:1", "sh", "-c", `${look}; grep CapEff /proc/self/status`],
  );
  expect(seen.replaceAll(/[ \t]+/g, " ").split("\n")).toEqual([
    ...[
      "host1",
      "1.2.3.4 db",
      "100",
      expect.stringMatching(/^\S+ 8192 /),
      "lo",
      "uid=0(root) gid=0(root) groups=55",
      "index.html",
    ],
    "CapEff: 0000000000000000",
  ]);
  await d("volume", "rm", "filled");
  const id = await d("run", "-d", "--name", "exposed", "--expose", "8080", "-P", "shell:1", "sleep", "100");
  expect(await d("exec", "exposed", "hostname")).toBe(id.slice(0, 12));
  expect(await d("port", "exposed", "8080")).toMatch(/^0\.0\.0\.0:\d+$/);
  expect(await d("inspect", "-s", "-f", "{{gt .State.Pid 1}} {{.SizeRw}}", "exposed")).toBe("true 0");
  expect(await d("top", "exposed", "-o", "user,args")).toMatch(/root +sleep 100$/);
  // When it has returned, the container has ended.
  await d("kill", "exposed");
  expect((await docker(["exec", "exposed", "true"])).stderr).toContain("is not running");
  await d("rm", "exposed");
  const refused: readonly (readonly [flags: readonly string[], words: string])[] = [
    [["--network", "nosuch"], "network nosuch not found"],
    [["--gpus", "all"], "could not select device driver"],
    [["--security-opt", "foo=bar"], 'invalid --security-opt 1: "foo=bar"'],
    [["--mount", "type=bind,source=/nosuch,target=/x"], "bind source path does not exist: /nosuch"],
    [["--memory", "1m"], "Minimum memory limit allowed is 6MB"],
  ];
  for (const [flags, words] of refused) {
    const { code, stderr } = await docker(["run", "--rm", ...flags, "shell:1", "true"]);
    expect({ code, stderr }).toEqual({ code: 125, stderr: expect.stringContaining(words) });
  }
  expect((await docker(["network", "create", "--internal", "walled"])).stderr).toContain("not supported: --internal");
});

test("kill, wait, restart policies, networks, events", async () => {
  await d("network", "create", "--label", "x=y", "inner");
  await d("run", "-d", "--name", "sleeper", "--network", "inner", "shell:1", "sleep", "100");
  expect(await d("network", "inspect", "-f", "{{range .Containers}}{{.Name}}{{end}}", "inner")).toBe("sleeper");
  expect((await docker(["network", "rm", "inner"])).stderr).toContain("has active endpoints");
  await d("kill", "sleeper");
  expect(await d("wait", "sleeper")).toBe("137");
  await d("rm", "sleeper");
  await d("network", "rm", "inner");
  const told = await d(
    "events",
    "--since",
    "5m",
    "--until",
    String(Math.floor(Date.now() / 1000) + 1),
    "--filter",
    "container=sleeper",
    "--format",
    "{{.Action}}",
  );
  expect(told.split("\n")).toEqual(["create", "start", "kill", "die", "destroy"]);
});

test("networks: containers of one reach each other by name and alias, others do not; health, told everywhere", async () => {
  await d("network", "create", "shared");
  const serve = "until test -e /up; do :; done; while :; do echo hello | nc -l -p 80; done";
  // The check is the image's, its times are the container's.
  const checked = await mkdtemp(join(directory, "checked-"));
  const lines = ["FROM shell:1", 'SHELL ["/bin/busybox", "ash", "-ec"]', "HEALTHCHECK CMD test -e /up"];
  await writeFile(join(checked, "Dockerfile"), lines.join("\n"));
  await d("build", "-q", "-t", "checked:1", checked);
  const foreign = await docker(["run", "--rm", "--platform", "linux/s390x", "checked:1"]);
  expect(foreign.stderr).toMatch(/was found but its platform \(linux\/\w+\) does not match .* \(linux\/s390x\)/);
  const pace = ["--health-interval", "1s", "--health-retries", "1000"];
  await d(
    "run",
    "-d",
    "--name",
    "db",
    "--network",
    "shared",
    "--network-alias",
    "data.base",
    ...pace,
    "checked:1",
    "sh",
    "-c",
    serve,
  );
  const status = (): Promise<string> => d("ps", "--filter", "name=db", "--format", "{{.Status}}");
  expect(await status()).toContain("(health: starting)");
  await d("exec", "db", "touch", "/up");
  await eventually("it is healthy", async () => ((await status()).includes("(healthy)") ? true : undefined));
  const { Log, ...health } = JSON.parse(await d("inspect", "-f", "{{json .State.Health}}", "db"));
  expect(health).toEqual({ Status: "healthy", FailingStreak: 0 });
  expect(Log.at(-1)).toMatchObject({ ExitCode: 0, Output: "" });
  const server = "$(grep -o 10.*[0-9] /etc/resolv.conf)";
  const ask = (name: string): string => `nslookup ${name} ${server} | grep -A1 Name: | grep -o '10[.0-9]*$'`;
  const asked = await d(
    "run",
    "--rm",
    "--network",
    "shared",
    "shell:1",
    "sh",
    "-c",
    `${ask("db")}; ${ask("data.base")}`,
  );
  const address = await d("inspect", "-f", "{{.NetworkSettings.Networks.shared.IPAddress}}", "db");
  expect(asked.split("\n")).toEqual([address, address]);
  const call = `nc -w 2 ${address} 80 < /dev/null`;
  expect(await d("run", "--rm", "--network", "shared", "shell:1", "sh", "-c", call)).toBe("hello");
  expect((await docker(["run", "--rm", "shell:1", "sh", "-c", `${ask("db")}; ${call}`])).stdout).toBe("");
  // One that runs joins at once, and leaves at once.
  await d("run", "-d", "--name", "late", "shell:1", "sleep", "100");
  const reach = (): Promise<Result> => docker(["exec", "late", "sh", "-c", call]);
  await d("network", "connect", "shared", "late");
  expect((await reach()).stdout).toBe("hello\n");
  await d("network", "disconnect", "shared", "late");
  expect((await reach()).stdout).toBe("");
  await d("rm", "-f", "db", "late");
  await d("network", "rm", "shared");
  const times = ["--since", "5m", "--until", (Date.now() / 1000).toFixed(3)];
  const told = await d("events", ...times, "--filter", "container=db", "--format", "{{.Action}}");
  expect(told).toContain("health_status: healthy");
});

test("--restart on-failure:N: it is given up, with its own exit code", async () => {
  const runs = ["sh", "-c", "echo run; echo run >> /kept/runs; exit 4"];
  await d("run", "-d", "--name", "failing", "--restart", "on-failure:2", "-v", "tries:/kept", "shell:1", ...runs);
  const seen = (): Promise<string> =>
    d("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}} {{.RestartCount}}", "failing");
  await eventually("it is given up", async () => ((await seen()).startsWith("exited") ? true : undefined));
  expect(await seen()).toBe("exited 4 2");
  const tries = await d("volume", "inspect", "-f", "{{.Mountpoint}}", "tries");
  expect(await readFile(join(tries, "runs"), "utf8")).toBe("run\n".repeat(3));
  // All of them, and though its pod is gone.
  expect(await d("logs", "failing")).toBe("run\nrun\nrun");
  expect(await docker(["start", "-a", "failing"])).toMatchObject({ stdout: "run\n" });
  await d("rm", "failing");
  await d("volume", "rm", "tries");
});

test("a policy that is updated while a container runs holds at its next end", async () => {
  const waits = "echo begun; until test -e /go; do usleep 10000; done; rm /go; exit 4";
  await d("run", "-d", "--name", "later", "shell:1", "sh", "-c", waits);
  await d("update", "--restart", "always", "later");
  await d("exec", "later", "touch", "/go");
  await eventually("it runs again", async () =>
    (await d("logs", "later")) === "begun\nbegun" && (await d("ps", "-q", "--filter", "name=later")) !== ""
      ? true
      : undefined,
  );
  await d("update", "--restart", "no", "later");
  await d("exec", "later", "touch", "/go");
  const seen = (): Promise<string> => d("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "later");
  await eventually("it has ended", async () => ((await seen()) === "exited 4" ? true : undefined));
  await d("rm", "later");
});

test("build: a Dockerfile with RUN, arguments and a target; its image runs", async () => {
  const context = await mkdtemp(join(directory, "context-"));
  await writeFile(join(context, "file.txt"), "from the context\n");
  const lines = [
    "FROM shell:1",
    "ARG WHO=nobody",
    "COPY file.txt /",
    "RUN echo built for $WHO >> /file.txt",
    'CMD ["cat", "/file.txt"]',
  ];
  await writeFile(join(context, "Dockerfile"), lines.join("\n"));
  const told = await d("build", "-t", "built:1", "--build-arg", "WHO=you", context);
  expect(told).toContain("Step 4/5 : RUN echo built for $WHO >> /file.txt");
  expect(told).toContain("Successfully tagged built:1");
  expect(await d("run", "--rm", "built:1")).toBe("from the context\nbuilt for you");
  // The node's registry and this store have one file of its layers.
  const shared = await d("inspect", "-f", "{{.Id}}", "built:1");
  const manifest = join("blobs/sha256", shared.slice("sha256:".length));
  const files = [join(platform.dataDirectory, "docker/images"), join(platform.dataDirectory, "registry")];
  const [own, pushed] = await Promise.all(files.map((place) => stat(join(place, manifest))));
  expect(own?.ino).toBe(pushed?.ino);
  await writeFile(join(context, "Dockerfile"), "FROM shell:1\nRUN exit 4\n");
  expect(await docker(["build", context])).toMatchObject({ code: 4 });
});
