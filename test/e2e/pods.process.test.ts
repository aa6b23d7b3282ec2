import { randomBytes } from "node:crypto";
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { publishBusybox } from "../support/busybox.ts";
import { type Kubectl, needKubectl } from "../support/kubectl.ts";
import { freePort, Platform, shallop } from "../support/platform.ts";

// Pods as a user of Kubernetes knows them, by a real kubectl against one platform: native containers with a shell in them.

let platform: Platform;
let kubectl: Kubectl;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "shallop-pods-"));
  platform = await Platform.start();
  kubectl = await needKubectl(platform.kubeconfig);
  await publishBusybox(platform, directory);
  await k(
    "apply -f -",
    podOf("web", {
      terminationGracePeriodSeconds: 0,
      containers: [{ name: "c", image: "busybox:1", ports: [{ containerPort: 8080 }] }],
    }),
  );
  await k("wait --for=condition=Ready pod/web --timeout=30s");
});
afterEach(async ({ task }) => {
  if (task.result?.state === "fail") console.log(await platform?.logs());
});
afterAll(async () => {
  await kubectl?.[Symbol.asyncDispose]();
  await platform?.[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

const podOf = (name: string, spec: object): string =>
  JSON.stringify({ apiVersion: "v1", kind: "Pod", metadata: { name }, spec });

const run = (args: string, input?: string): ReturnType<Kubectl> => kubectl(args.split(" "), input);

/** Runs kubectl to its end; its standard output. */
async function k(args: string, input?: string): Promise<string> {
  const { code, stdout, stderr } = await run(args, input);
  expect(code, `kubectl ${args}: ${stderr}`).toBe(0);
  return stdout;
}

const shell = (script: string, ...flags: readonly string[]): ReturnType<Kubectl> =>
  kubectl(["exec", ...flags, "web", "--", "sh", "-c", script]);

test("exec: both outputs, standard input, exit codes, a command that is not there", async () => {
  expect(await shell("echo out; echo err >&2; exit 3")).toMatchObject({
    code: 3,
    stdout: "out\n",
    stderr: "err\ncommand terminated with exit code 3\n",
  });
  expect(await run("exec -i web -- cat", "said\n")).toMatchObject({ code: 0, stdout: "said\n" });
  const missing = await run("exec web -- nosuch");
  expect(missing.code).not.toBe(0);
  expect(missing.stderr).toMatch(/nosuch.*not found/);
  expect((await run("exec web -c other -- true")).stderr).toMatch(/container other is not valid for pod web/);
});

test("exec -it: a terminal of the client's size, and the exit code", async () => {
  const script = `stty rows 33 cols 77; exec kubectl exec -it web -- sh -c 'tty; sleep 1; stty size; exit 5'`;
  const client = spawn("script", ["--quiet", "--return", "--command", script, "/dev/null"], {
    env: { PATH: process.env["PATH"] ?? "", KUBECONFIG: platform.kubeconfig, HOME: directory },
  });
  let output = "";
  client.stdout.on("data", (chunk) => (output += String(chunk)));
  const code = await new Promise((resolve) => client.once("close", resolve));
  expect(output).toMatch(/\/dev\/pts\/\d+\r\n33 77\r\n/);
  expect(code).toBe(5);
});

test("shallop exec: streams and exit code, and a sentence for what is not there", async () => {
  const data = ["--data", platform.dataDirectory];
  const said = await shallop(["exec", ...data, "web", "--", "sh", "-c", "echo out; echo err >&2; exit 6"]);
  expect(said).toMatchObject({ code: 6, stdout: "out\n", stderr: "err\n" });
  expect((await shallop(["exec", ...data, "nobody", "true"])).stderr).toMatch(/pods "nobody" not found/);
});

test("cp there and back", async () => {
  const bytes = randomBytes(1_000_000);
  const [here, back] = [join(directory, "blob"), join(directory, "back")];
  await writeFile(here, bytes);
  await k(`cp ${here} web:/tmp/blob`);
  await k(`cp web:/tmp/blob ${back}`);
  expect((await readFile(back)).equals(bytes)).toBe(true);
});

test("port-forward, and a port on which nothing listens", async () => {
  const [port, dead] = [await freePort(), await freePort()];
  await using forward = kubectl.start(["port-forward", "pod/web", `${String(port)}:8080`, `${String(dead)}:9999`]);
  await forward.waitFor(/Forwarding from 127.*9999/s);
  expect(await (await fetch(`http://127.0.0.1:${String(port)}/`)).text()).toBe("hello from busybox\n");
  await expect(fetch(`http://127.0.0.1:${String(dead)}/`)).rejects.toThrow();
});

test("hostPort: the node's port leads to the pod, is nobody else's, and is free again with its end", async () => {
  const port = await freePort();
  const asking = (name: string): string =>
    podOf(name, {
      terminationGracePeriodSeconds: 1,
      containers: [{ name: "c", image: "busybox:1", ports: [{ containerPort: 8080, hostPort: port }] }],
    });
  const ask = (): Promise<string> =>
    fetch(`http://127.0.0.1:${String(port)}/`, { headers: { connection: "close" } }).then((response) =>
      response.text(),
    );
  await k("apply -f -", asking("first"));
  await k("wait --for=condition=Ready pod/first --timeout=20s");
  await expect.poll(() => ask().catch(String)).toBe("hello from busybox\n");
  await k("apply -f -", asking("second"));
  await k("wait --for=jsonpath={.status.conditions[0].reason}=Unschedulable pod/second --timeout=20s");
  expect(await k("describe pod second")).toMatch(/FailedScheduling.*free ports for the requested pod ports/);
  await k("delete pod first --timeout=20s");
  await k("wait --for=condition=Ready pod/second --timeout=30s");
  await expect.poll(() => ask().catch(String)).toBe("hello from busybox\n");
  await k("delete pod second --timeout=20s");
  await expect.poll(() => ask().catch(() => "refused")).toBe("refused");
});

test("where a pod runs: selectors, taints and tolerations, with the scheduler's reasons", async () => {
  const choosy = podOf("choosy", {
    terminationGracePeriodSeconds: 0,
    nodeSelector: { disk: "ssd" },
    tolerations: [{ key: "dedicated", operator: "Exists" }],
    containers: [{ name: "c", image: "busybox:1" }],
  });
  await k("taint nodes node-a dedicated=db:NoSchedule");
  await k("apply -f -", choosy);
  await k("wait --for=jsonpath={.status.conditions[0].reason}=Unschedulable pod/choosy --timeout=20s");
  expect(await k("describe pod choosy")).toMatch(
    /FailedScheduling.*0\/1 nodes are available: 1 node\(s\) didn't match Pod's node affinity\/selector/,
  );
  await k("label nodes node-a disk=ssd");
  await k("wait --for=condition=Ready pod/choosy --timeout=20s");
  await k("taint nodes node-a dedicated-");
  await k("delete pod choosy --timeout=20s");
});

test("ConfigMaps and Secrets: variables and files", async () => {
  const script = "echo $LEVEL $TOKEN; cat /etc/app/a.conf /etc/keys/t; stat -Lc %a /etc/keys/t; sleep 1000";
  const container = {
    name: "c",
    image: "busybox:1",
    command: ["busybox", "sh", "-c", script.replace("stat", "busybox stat")],
    envFrom: [{ configMapRef: { name: "settings" } }],
    env: [{ name: "TOKEN", valueFrom: { secretKeyRef: { name: "keys", key: "token" } } }],
    volumeMounts: [
      { name: "app", mountPath: "/etc/app" },
      { name: "keys", mountPath: "/etc/keys" },
    ],
  };
  const volumes = [
    { name: "app", configMap: { name: "settings" } },
    { name: "keys", secret: { secretName: "keys", items: [{ key: "token", path: "t", mode: 0o400 }] } },
  ];
  await k("create configmap settings --from-literal=LEVEL=info --from-literal=a.conf=x=1,");
  expect(await k("get cm settings")).toMatch(/settings +2 /);
  await k("create secret generic keys --from-literal=token=s3cret");
  await k("apply -f -", podOf("reads", { terminationGracePeriodSeconds: 0, containers: [container], volumes }));
  await k("wait --for=condition=Ready pod/reads --timeout=30s");
  await expect.poll(() => k("logs reads")).toBe("info s3cret\nx=1,s3cret400\n");
  // What becomes of it is looked at further below: nodes ask again after a while.
  await kubectl(["patch", "cm", "settings", "-p", JSON.stringify({ data: { "a.conf": "x=2," } })]);
  await kubectl(["patch", "secret", "keys", "-p", JSON.stringify({ stringData: { token: "changed" } })]);
});

test("attach: what the program says from now on", async () => {
  await using attached = kubectl.start(["attach", "web"]);
  // It is told from when it is attached; said again until it hears.
  await expect
    .poll(async () => {
      await shell("echo spoken > /proc/1/fd/1");
      return attached.stdout();
    })
    .toContain("spoken\n");
});

const runs = "run --image=busybox:1 --quiet --command";

test("run -i --rm: what is said to the program, its end, and its exit code", async () => {
  expect(await run(`${runs} --rm -i upper -- tr a-z A-Z`, "said\n")).toMatchObject({ code: 0, stdout: "SAID\n" });
  const counted = await run(`${runs} --rm -i --restart=Never count -- wc -c`, "x".repeat(300_000));
  expect(counted).toMatchObject({ code: 0, stdout: "300000\n" });
});

test("attach -i again and again: input that is not for one only goes on", async () => {
  const container = { name: "c", image: "busybox:1", command: ["cat"], stdin: true };
  await k("apply -f -", podOf("cat", { terminationGracePeriodSeconds: 0, containers: [container] }));
  await k("wait --for=condition=Ready pod/cat --timeout=20s");
  for (const word of ["one", "two"]) {
    await using client = kubectl.start(["attach", "-i", "cat"]);
    client.write(`${word}\n`);
    await client.waitFor(new RegExp(`${word}\n`));
  }
  expect(await k("logs cat")).toBe("one\ntwo\n");
});

test("run -it --rm: a terminal that is heard from its prompt on, of the client's size, with keys that are signals", async () => {
  const size = { rows: 31, columns: 91 };
  await using client = kubectl.startOnTerminal([...`${runs} shell --rm -it -- sh`.split(" ")], size);
  await client.waitFor(/# /);
  // The line is read and done with once it says so: until then keys are the shell's own, who edits it.
  client.write("echo as''leep; sleep 1000; echo inter''rupted\r");
  await client.waitFor(/asleep/);
  client.write("\u0003");
  // kubectl says one size more first, so that what is there is drawn anew.
  client.write("until [ \"$(stty size)\" = '31 91' ]; do sleep 0.1; done; tty; exit 3\r");
  await client.waitFor(/\r\n\/dev\/\S+\r\n/);
  expect(client.stdout()).not.toContain("interrupted\r\n");
  await client.ended;
  await expect.poll(() => run("get pod shell").then(({ stderr }) => stderr)).toMatch(/not found/);
});

/** A file of its own for each: a mount of Kubernetes' own examples, with what several containers share. */
const several = podOf("several", {
  terminationGracePeriodSeconds: 0,
  initContainers: [
    {
      name: "prepare",
      image: "busybox:1",
      command: ["sh", "-c", "echo made by $(POD) > /data/index.html; echo prepared"],
      env: [{ name: "POD", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } }],
      volumeMounts: [{ name: "data", mountPath: "/data" }],
    },
    { name: "proxy", image: "busybox:1", restartPolicy: "Always", command: ["sleep", "1000"] },
  ],
  containers: [
    {
      name: "web",
      image: "busybox:1",
      command: ["httpd", "-f", "-p", "8080", "-h", "/srv/www"],
      ports: [{ name: "http", containerPort: 8080 }],
      readinessProbe: { httpGet: { path: "/", port: "http" }, periodSeconds: 1 },
      volumeMounts: [
        { name: "data", mountPath: "/srv/www" },
        { name: "memory", mountPath: "/memory" },
        { name: "about", mountPath: "/etc/about" },
      ],
    },
    {
      name: "side",
      image: "busybox:1",
      command: [
        "sh",
        "-c",
        "touch /data/runs; echo run $(cat /data/runs); echo x >> /data/runs; while [ ! -f /data/stop ]; do sleep 0.1; done; rm /data/stop; exit 7",
      ],
      volumeMounts: [
        { name: "data", mountPath: "/data", subPath: "side" },
        { name: "memory", mountPath: "/memory" },
      ],
    },
  ],
  volumes: [
    { name: "data", emptyDir: {} },
    { name: "memory", emptyDir: { medium: "Memory", sizeLimit: "8Mi" } },
    { name: "about", downwardAPI: { items: [{ path: "labels", fieldRef: { fieldPath: "metadata.labels" } }] } },
  ],
});

const inContainer = (container: string, script: string): Promise<string> =>
  kubectl(["exec", "several", "-c", container, "--", "sh", "-c", script]).then(({ stdout }) => stdout);

const status = (path: string): Promise<string> => k(`get pod several -o jsonpath={.status.${path}}`);

test("a pod of several containers: init, sidecar, probes; network, IPC, memory and volumes are shared", async () => {
  await k("apply -f -", several);
  await k("wait --for=condition=Ready pod/several --timeout=30s");
  expect(await k("get pod several --no-headers")).toMatch(/several +3\/3 +Running +0/);
  expect(await k("logs several -c prepare")).toBe("prepared\n");
  expect(await inContainer("side", "wget -qO- localhost:8080")).toBe("made by several\n");
  await inContainer("side", "echo one > /memory/a; echo two > /dev/shm/b; echo three > /data/c");
  expect(await inContainer("web", "cat /memory/a /dev/shm/b /srv/www/side/c")).toBe("one\ntwo\nthree\n");
  const ipc = "readlink /proc/self/ns/ipc /proc/self/ns/net";
  expect(await inContainer("web", ipc)).toBe(await inContainer("side", ipc));
  expect(
    (await inContainer("web", "dd if=/dev/zero of=/memory/big bs=1M count=9 2>&1; rm /memory/big")).toLowerCase(),
  ).toContain("no space left");
  expect(await k("describe pod several")).toMatch(/prepare:[^]*Reason: +Completed[^]*Ready: +True/);
});

test("a container that ends is started again, with its exit code and its earlier log; the others run on", async () => {
  await inContainer("side", "touch /data/stop");
  const before = "containerStatuses[?(@.name=='side')]";
  await k(`wait --for=jsonpath={.status.${before}.restartCount}=1 pod/several --timeout=20s`);
  await k("wait --for=condition=Ready pod/several --timeout=20s");
  expect(await status(`${before}.lastState.terminated.exitCode`)).toBe("7");
  expect(await k("logs several -c side --previous")).toBe("run\n");
  expect(await k("logs several -c side")).toBe("run x\n");
  expect(await status("containerStatuses[?(@.name=='web')].restartCount")).toBe("0");
});

test("top: what nodes and containers use", async () => {
  await inContainer("side", "(yes > /dev/null & sleep 6; kill $!) > /dev/null 2>&1 &");
  await expect.poll(() => k("top nodes")).toMatch(/node-a +\d+m +\d+% +\d+Mi +\d+%/);
  const milli = async (): Promise<number> =>
    Number(/side +(\d+)m +\d+Mi/.exec(await k("top pod several --containers"))?.[1] ?? 0);
  await expect.poll(milli).toBeGreaterThan(50);
  const summary = await k("get --raw /api/v1/nodes/node-a/proxy/stats/summary");
  const resources = await k("get --raw /api/v1/nodes/node-a/proxy/metrics/resource");
  expect(resources).toMatch(
    /^container_cpu_usage_seconds_total\{container="[^"]+",namespace="[^"]+",pod="[^"]+"\} \d/m,
  );
  expect(JSON.parse(summary)).toMatchObject({
    node: { nodeName: "node-a", memory: { workingSetBytes: expect.any(Number) as number } },
    pods: expect.arrayContaining([
      expect.objectContaining({
        podRef: { name: "several", namespace: "default", uid: await k("get pod several -o jsonpath={.metadata.uid}") },
      }),
    ]) as object,
  });
});

/** The process of the node's agent as it is now. */
async function agentPid(): Promise<number> {
  const { programs } = JSON.parse(await platform.run("status", "-o", "json")) as {
    programs: { name: string; pid: number }[];
  };
  return programs.find(({ name }) => name === "node-agent")?.pid ?? 0;
}

test("kill -9 of the agent: containers run on, and an exit code of meanwhile is not lost", async () => {
  const agent = await agentPid();
  const web = await status("containerStatuses[?(@.name=='web')].containerID");
  // It runs on in the container, and ends it while nobody looks.
  await inContainer("side", "(sleep 0.3; touch /data/stop) > /dev/null 2>&1 &");
  process.kill(agent, "SIGKILL");
  const side = "containerStatuses[?(@.name=='side')]";
  await k(`wait --for=jsonpath={.status.${side}.restartCount}=2 pod/several --timeout=30s`);
  expect(await status(`${side}.lastState.terminated.exitCode`)).toBe("7");
  await k("wait --for=condition=Ready pod/several --timeout=20s");
  // It ends again, and nothing of it runs when the agent is killed: the next one remembers it.
  await inContainer("side", "touch /data/stop");
  await k(`wait --for=jsonpath={.status.${side}.state.waiting.reason}=CrashLoopBackOff pod/several --timeout=20s`);
  process.kill(await agentPid(), "SIGKILL");
  await k(`wait --for=jsonpath={.status.${side}.restartCount}=3 pod/several --timeout=30s`);
  expect(await status(`${side}.lastState.terminated.exitCode`)).toBe("7");
  await k("wait --for=condition=Ready pod/several --timeout=20s");
  expect(await k("logs several -c prepare")).toBe("prepared\n");
  expect(await status("containerStatuses[?(@.name=='web')].restartCount")).toBe("0");
  expect(await status("containerStatuses[?(@.name=='web')].containerID")).toBe(web);
  await using client = kubectl.start(["attach", "-i", "cat"]);
  client.write("three\n");
  await client.waitFor(/three\n/);
  expect(await k("logs cat")).toBe("one\ntwo\nthree\n");
});

test("files of ConfigMaps and Secrets follow their objects, and variables stay", async () => {
  const files = (): Promise<string> => k("exec reads -- cat /etc/app/a.conf /etc/keys/t");
  await expect.poll(files).toBe("x=2,changed");
  expect(await k("exec reads -- sh -c echo${IFS}$TOKEN")).toBe("s3cret\n");
  expect(await k("exec reads -- ls /etc/app")).toBe("LEVEL\na.conf\n");
  await k("delete pod/reads cm/settings secret/keys --timeout=20s");
});

test("paused by an annotation, and resized in place, with the same container all the while", async () => {
  const script = "i=0; while true; do i=$((i+1)); echo $i > /tmp/n; sleep 0.05; done";
  const resources = { limits: { cpu: "500m", memory: "64Mi" }, requests: { cpu: "10m", memory: "32Mi" } };
  const container = { name: "c", image: "busybox:1", command: ["sh", "-c", script], resources };
  await k("apply -f -", podOf("counts", { terminationGracePeriodSeconds: 0, containers: [container] }));
  await k("wait --for=condition=Ready pod/counts --timeout=20s");
  const ids = await k("get pod counts -o jsonpath={.status.containerStatuses[0].containerID}");
  const inMachine = (v1: string, v2: string): Promise<string> => {
    const path = `${ids.replace(/^\w+:\/\/shallop-/, "").replaceAll("-", "/")}/run`;
    const files = [`/sys/fs/cgroup/${v1.replace("*", `shallop/${path}`)}`, `/sys/fs/cgroup/shallop/${path}/${v2}`];
    return Promise.any(files.map((file) => readFile(file, "utf8"))).then((text) => text.trim());
  };
  const frozen = (): Promise<string> => inMachine("freezer/*/freezer.state", "cgroup.freeze");
  await k("annotate pod counts shallop.dev/paused=true");
  await expect.poll(frozen).toMatch(/^(FROZEN|1)$/);
  await k("annotate pod counts shallop.dev/paused-");
  await expect.poll(frozen).toMatch(/^(THAWED|0)$/);
  expect(await k("describe pod counts")).toMatch(/Paused[^]*Unpaused/);
  const limits = { containers: [{ name: "c", resources: { limits: { cpu: "250m", memory: "48Mi" } } }] };
  await kubectl(["patch", "pod", "counts", "--subresource=resize", "-p", JSON.stringify({ spec: limits })]);
  const told = "{.status.containerStatuses[0].resources.limits.memory} {.status.containerStatuses[0].restartCount}";
  await expect
    .poll(() => kubectl(["get", "pod", "counts", "-o", `jsonpath=${told}`]).then(({ stdout }) => stdout))
    .toBe("48Mi 0");
  expect(await inMachine("memory/*/memory.limit_in_bytes", "memory.max")).toBe(String(48 << 20));
  await k("annotate pod counts shallop.dev/paused=true");
  await k("delete pod counts --timeout=20s");
});

test("limits of one container among several: who met them is told, and the others run on", async () => {
  const limited = (name: string, memory: string, ...command: readonly string[]): object => ({
    ...{ name, image: "busybox:1", command, resources: { limits: { memory } } },
  });
  const eats = ["sh", "-c", "sleep 1; exec dd if=/dev/zero of=/dev/null bs=100M count=1"];
  const containers = [limited("crowd", "256Mi", "sleep", "1000"), limited("eats", "64Mi", ...eats)];
  await k("apply -f -", podOf("limits", { terminationGracePeriodSeconds: 0, containers }));
  const of = (container: string, path: string): Promise<string> =>
    k(`get pod limits -o jsonpath={.status.containerStatuses[?(@.name=='${container}')].${path}}`);
  await k("wait --for=condition=Ready pod/limits --timeout=20s");
  await kubectl(["exec", "limits", "-c", "crowd", "--", "sh", "-c", "for i in $(seq 1100); do sleep 5 & done"]);
  const events = (): Promise<string> => k("get events --field-selector=involvedObject.name=limits");
  await expect.poll(events).toMatch(/PidsLimit .*container crowd/);
  await expect.poll(() => of("eats", "lastState.terminated")).toMatch(/"exitCode":137.*OOMKilled/);
  expect(await events()).toMatch(/OOMKilled .*eats: used more than its memory limit of 67108864 bytes/);
  expect(await of("crowd", "restartCount")).toBe("0");
  const fills = {
    ...{ name: "fills", image: "busybox:1", securityContext: { readOnlyRootFilesystem: false } },
    command: ["sh", "-c", "dd if=/dev/zero of=/big bs=1M count=3; sleep 100"],
    resources: { limits: { "ephemeral-storage": "2Mi" } },
  };
  await k("apply -f -", podOf("disk", { terminationGracePeriodSeconds: 0, containers: [fills] }));
  await k("wait --for=jsonpath={.status.reason}=Evicted pod/disk --timeout=20s");
  expect(await k("get pod disk -o jsonpath={.status.message}")).toMatch(/fills exceeded its local ephemeral storage/);
  await k("delete pod limits disk --timeout=20s");
});

test("a job's pod: Completed or Error, told with its exit code, and deleted with all that it had", async () => {
  const job = (name: string, script: string): string =>
    podOf(name, {
      restartPolicy: "Never",
      containers: [{ name: "c", image: "busybox:1", command: ["sh", "-c", script] }],
    });
  await k("apply -f -", job("done", "echo worked"));
  await k("apply -f -", job("failed", "exit 4"));
  await k("wait --for=jsonpath={.status.phase}=Succeeded pod/done --timeout=20s");
  await k("wait --for=jsonpath={.status.phase}=Failed pod/failed --timeout=20s");
  expect(await k("get pods done failed --no-headers")).toMatch(/done +0\/1 +Completed[^]*failed +0\/1 +Error/);
  expect(await k("logs done")).toBe("worked\n");
  expect(await k("get pod failed -o jsonpath={.status.containerStatuses[0].state.terminated.exitCode}")).toBe("4");
  await k("delete pod done failed several --timeout=30s");
});

test("drain: evictions keep to a budget, and a cordoned node takes nothing until it is uncordoned", async () => {
  const guarded = (name: string): string =>
    JSON.stringify({
      ...{ apiVersion: "v1", kind: "Pod", metadata: { name, labels: { app: "guarded" } } },
      spec: { terminationGracePeriodSeconds: 0, containers: [{ name: "c", image: "busybox:1" }] },
    });
  for (const name of ["first", "second"]) await k("apply -f -", guarded(name));
  await k("wait --for=condition=Ready pod/first pod/second --timeout=20s");
  await k("create pdb guard --selector=app=guarded --min-available=1");
  expect(await k("get pdb guard --no-headers")).toMatch(/^guard +1 +N\/A /);
  const drain = "drain node-a --force --pod-selector=app=guarded";
  const blocked = await run(`${drain} --timeout=1s`);
  expect(blocked.code).not.toBe(0);
  expect(blocked.stderr).toMatch(/Cannot evict pod as it would violate the pod's disruption budget/);
  expect(await k("get node node-a --no-headers")).toMatch(/Ready,SchedulingDisabled/);
  await expect.poll(() => k("get pods -l app=guarded -o name")).toMatch(/^pod\/\w+\n$/);
  await k("apply -f -", guarded("third"));
  await k("wait --for=jsonpath={.status.conditions[0].reason}=Unschedulable pod/third --timeout=20s");
  await k("delete pdb guard");
  expect(await k(`${drain} --timeout=20s`)).toMatch(/node\/node-a drained/);
  await k("uncordon node-a");
  await k("wait --for=condition=Ready pod/third --timeout=20s");
  await k("delete pod third --timeout=20s");
});

test("a taint of the kind NoExecute drives pods out: at once, after a time, or not, as they tolerate", async () => {
  const tolerating = (name: string, toleration?: object): string =>
    podOf(name, {
      terminationGracePeriodSeconds: 0,
      containers: [{ name: "c", image: "busybox:1" }],
      ...(toleration === undefined ? {} : { tolerations: [{ key: "bad", operator: "Exists", ...toleration }] }),
    });
  await k("apply -f -", tolerating("fragile"));
  await k("apply -f -", tolerating("patient", { effect: "NoExecute", tolerationSeconds: 4 }));
  await k("apply -f -", tolerating("tough", {}));
  await k("wait --for=condition=Ready pod/fragile pod/patient pod/tough --timeout=20s");
  await k("taint nodes node-a bad=yes:NoExecute");
  const left = (): Promise<string> => k("get pods fragile patient tough --ignore-not-found -o name");
  await expect.poll(left).toBe("pod/patient\npod/tough\n");
  await expect.poll(left).toBe("pod/tough\n");
  expect(await k("get events --field-selector=reason=TaintManagerEviction")).toMatch(
    /pod\/patient .*bad=yes:NoExecute/,
  );
  await k("taint nodes node-a bad-");
  expect(await left()).toBe("pod/tough\n");
  await k("delete pod tough --timeout=20s");
});
