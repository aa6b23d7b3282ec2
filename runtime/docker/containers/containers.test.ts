import { type ContainerState as KubernetesState, type Pod } from "@shallop/sdk/api";
import { describe, expect, test } from "vitest";
import { isStartedAgain } from "./container-ends.ts";
import { containerInspection, withChecks } from "./container-json.ts";
import { hasFailed } from "./healthcheck.ts";
import { matchesName } from "./container-filters.ts";
import { type ContainerRecord, podNameOf } from "./container-record.ts";
import { humanAge, startErrorText, stateOf, statusText } from "./container-state.ts";
import { parseCreateBody } from "./create-body.ts";
import { signalNumber } from "./local-process.ts";
import { dockerAnnotation, podOf } from "./pod-spec.ts";

const id = "ab".repeat(32);
const nowMs = Date.parse("2026-01-01T00:01:00Z");

const recordOf = (body: ContainerRecord["body"], more: Partial<ContainerRecord> = {}): ContainerRecord => ({
  ...{ id, name: "web", createdAt: "2026-01-01T00:00:00.000Z", body: { Image: "app:1", ...body } },
  ...{
    imageName: "app:1",
    imageId: "sha256:1",
    podImage: "127.0.0.1:5000/app@sha256:1",
    imageConfig: {},
    platform: "",
    hasWasmCommand: false,
    hasNative: true,
  },
  ...{ volumes: {}, hostPorts: {}, networks: { bridge: [] }, stopped: false, pod: "web" },
  ...more,
});

const machine = {
  nodeName: "node-a",
  memoryBytes: 8e9,
  cpus: 4,
  volumePath: (name: string) => `/volumes/${name}/_data`,
};

describe("create request → pod", () => {
  test("a weight of disks' time is the pod's, from 10 to 1000", () => {
    const weightOf = (BlkioWeight: number) =>
      podOf(recordOf({ HostConfig: { BlkioWeight } }), machine).metadata.annotations?.["shallop.dev/io-weight"];
    expect([weightOf(0), weightOf(10), weightOf(1000)]).toEqual([undefined, "10", "1000"]);
    for (const weight of [9, 1001, -1, 20.5])
      expect(() => weightOf(weight)).toThrow(expect.objectContaining({ code: "BAD_REQUEST" }) as Error);
  });

  test("shares of processors, and which of them", () => {
    const said = (HostConfig: { CpuShares?: number; CpusetCpus?: string }) =>
      podOf(recordOf({ HostConfig }), machine).metadata.annotations;
    expect(said({ CpuShares: 512, CpusetCpus: "0-1,3" })).toMatchObject({
      ...{ "shallop.dev/cpu-shares": "512", "shallop.dev/cpus": "0-1,3" },
    });
    expect(said({ CpuShares: 1 })).toMatchObject({ "shallop.dev/cpu-shares": "2" });
    for (const CpusetCpus of ["4", "0-9", "a", "1,", "0;1"])
      expect(() => said({ CpusetCpus })).toThrow(expect.objectContaining({ code: "BAD_REQUEST" }) as Error);
  });

  test("words, environment, limits, ports, mounts", () => {
    const body = {
      ...{ Cmd: ["echo", "$(HOME) costs $5"], Env: ["A=1", "A=2", "UNSET"], WorkingDir: "/w", User: "5:6", Tty: false },
      ExposedPorts: { "80/tcp": {} },
      HostConfig: {
        ...{
          Memory: 64 << 20,
          NanoCpus: 5e8,
          RestartPolicy: { Name: "always" },
          CapAdd: ["CAP_NET_RAW"],
          ReadonlyRootfs: true,
        },
        Binds: ["/etc:/host:ro", "data:/data"],
        PortBindings: { "80/tcp": [{ HostIp: "", HostPort: "8080" }] },
      },
    };
    const pod = podOf(recordOf(body, { volumes: { "/data": "data" } }), machine);
    expect(pod.metadata).toMatchObject({
      namespace: "docker",
      name: "web",
      annotations: { [dockerAnnotation.id]: id },
    });
    expect(pod.spec).toMatchObject({
      ...{ nodeName: "node-a", restartPolicy: "Always", securityContext: { runAsUser: 5, runAsGroup: 6 } },
      volumes: [
        { name: "v0", hostPath: { path: "/etc", type: "" } },
        { name: "v1", hostPath: { path: "/volumes/data/_data", type: "" } },
      ],
    });
    const [container] = pod.spec.containers;
    expect(container).toMatchObject({
      // Kubernetes turns this back into what was written.
      args: ["echo", "$$(HOME) costs $$5"],
      env: [{ name: "A", value: "2" }],
      ports: [{ containerPort: 80, protocol: "TCP" }],
      resources: { limits: { cpu: "500m", memory: String(64 << 20) } },
      volumeMounts: [
        { name: "v0", mountPath: "/host", readOnly: true },
        { name: "v1", mountPath: "/data", readOnly: false },
      ],
    });
    expect(container?.securityContext).toMatchObject({ readOnlyRootFilesystem: true });
    expect(container?.securityContext?.capabilities?.add).toContain("NET_RAW");
  });

  test.each([
    ["an entrypoint with words", { Entrypoint: ["/a"], Cmd: ["b"] }, { command: ["/a"], args: ["b"] }],
    ["an entrypoint alone", { Entrypoint: ["/a"] }, { command: ["/a"] }],
    ["an entrypoint that is taken away", { Entrypoint: [""], Cmd: ["b"] }, { command: ["b"] }],
    ["nothing", {}, {}],
  ])("%s", (_, body, words) => {
    const [container] = podOf(recordOf(body), machine).spec.containers;
    expect({ command: container?.command, args: container?.args }).toEqual({
      command: undefined,
      args: undefined,
      ...words,
    });
  });

  test("one that may use little is counted with no more than that", () => {
    const [container] = podOf(recordOf({ HostConfig: { Memory: 16 << 20 } }), machine).spec.containers;
    expect(container?.resources).toEqual({
      limits: { cpu: "4000m", memory: String(16 << 20) },
      requests: { cpu: "10m", memory: String(16 << 20) },
    });
  });

  test("peers' plain names are looked for as they are: there is no search list of the cluster", () => {
    expect(podOf(recordOf({}), machine).spec.dnsPolicy).toBe("Default");
    expect(podOf(recordOf({ HostConfig: { Dns: ["9.9.9.9"] } }), machine).spec).toMatchObject({ dnsPolicy: "None" });
  });

  test("names, a user by name, limits, shared memory, groups, no network", () => {
    const body = {
      ...{ Hostname: "", User: "www-data" },
      HostConfig: {
        ...{ ExtraHosts: ["db:10.1.2.3"], Dns: ["9.9.9.9"], DnsOptions: ["ndots:1"], NetworkMode: "none" },
        ...{ Ulimits: [{ Name: "nofile", Soft: 1, Hard: 2 }], PidsLimit: 50, ShmSize: 1 << 20, GroupAdd: ["5"] },
        ...{ CapDrop: ["ALL"], CapAdd: ["NET_RAW"] },
      },
    };
    const { metadata, spec } = podOf(recordOf(body), machine);
    expect(spec).toMatchObject({
      ...{ hostname: id.slice(0, 12), hostAliases: [{ ip: "10.1.2.3", hostnames: ["db"] }], dnsPolicy: "None" },
      dnsConfig: { nameservers: ["9.9.9.9"], searches: [], options: [{ name: "ndots", value: "1" }] },
      securityContext: { supplementalGroups: [5] },
      volumes: [{ name: "v0", emptyDir: { medium: "Memory", sizeLimit: 1 << 20 } }],
    });
    expect(spec.containers[0]?.volumeMounts).toEqual([{ name: "v0", mountPath: "/dev/shm", readOnly: false }]);
    // Nothing but what is named: not what Docker's containers have beyond native pods' own.
    expect(spec.containers[0]?.securityContext?.capabilities).toEqual({ add: ["NET_RAW"], drop: ["ALL"] });
    expect(metadata.annotations?.["shallop.dev/network"]).toBe("none");
    expect(JSON.parse(metadata.annotations?.["shallop.dev/process"] ?? "")).toEqual({
      ...{ user: "www-data", ulimits: { nofile: [1, 2] }, pids: 50 },
    });
  });

  test("--init runs the machine's program before the container's own, and is refused where there is none", () => {
    const body = { Cmd: ["app", "$x"], HostConfig: { Init: true } };
    const [container] = podOf(recordOf(body), { ...machine, initProgram: "/usr/bin/tini-static" }).spec.containers;
    expect(container?.command).toEqual(["/sbin/docker-init", "--", "app", "$$x"]);
    expect(container?.volumeMounts).toEqual([{ name: "v0", mountPath: "/sbin/docker-init", readOnly: true }]);
    expect(() => podOf(recordOf(body), machine)).toThrow(expect.objectContaining({ code: "UNSUPPORTED" }));
  });

  test("a health check of the image is a probe", () => {
    const imageConfig = { Healthcheck: { Test: ["CMD-SHELL", "true"], Interval: 2e9, Retries: 4 } };
    const [container] = podOf(recordOf({}, { imageConfig }), machine).spec.containers;
    expect(container?.readinessProbe).toMatchObject({
      exec: { command: ["/bin/sh", "-c", "true"] },
      periodSeconds: 2,
      failureThreshold: 4,
    });
    const shell = podOf(recordOf({}, { imageConfig: { ...imageConfig, Shell: ["/bin/ash", "-ec"] } }), machine);
    expect(shell.spec.containers[0]?.readinessProbe?.exec?.command).toEqual(["/bin/ash", "-ec", "true"]);
    const none = podOf(recordOf({ Healthcheck: { Test: ["NONE"] } }, { imageConfig }), machine);
    expect(none.spec.containers[0]?.readinessProbe).toBeUndefined();
  });

  test.each([
    ["a path that leads out", { HostConfig: { Binds: ["/a:/b/../../c"] } }],
    ["a relative target", { HostConfig: { Binds: ["/a:b"] } }],
    ["a port that is none", { HostConfig: { PortBindings: { "70000/tcp": [{ HostPort: "1" }] } } }],
    ["a word that is none", { Cmd: ["a", 5] }],
    ["a word with a NUL", { Cmd: ["a\0b"] }],
    ["another namespace", { HostConfig: { PidMode: "host" } }],
    ["a device", { HostConfig: { Devices: [{ PathOnHost: "/dev/kmsg" }] } }],
    ["an option that is none", { HostConfig: { SecurityOpt: ["foo=bar"] } }],
    ["a profile", { HostConfig: { SecurityOpt: ["seccomp={}"] } }],
    ["open paths of the kernel", { HostConfig: { MaskedPaths: [], ReadonlyPaths: [] } }],
    ["the machine's users", { HostConfig: { UsernsMode: "host" } }],
    ["a control group", { HostConfig: { CgroupParent: "/x" } }],
    ["an address", { NetworkingConfig: { EndpointsConfig: { n: { IPAMConfig: { IPv4Address: "10.0.0.1" } } } } }],
    ["a limit of cores", { HostConfig: { Ulimits: [{ Name: "core", Soft: 1, Hard: 1 }] } }],
    ["a line of hosts that is two", { HostConfig: { ExtraHosts: ["a\nb:1.2.3.4"] } }],
    ["the machine as a host", { HostConfig: { ExtraHosts: ["h:host-gateway"] } }],
    ["mounts that travel", { HostConfig: { Binds: ["/a:/b:rshared"] } }],
    ["a volume of another driver", { HostConfig: { VolumeDriver: "nfs" } }],
    ["tries of a policy without them", { HostConfig: { RestartPolicy: { Name: "always", MaximumRetryCount: 2 } } }],
    ["too much", { Labels: { a: "x".repeat(200_000) } }],
  ])("%s is refused", (_, body) => {
    expect(() => parseCreateBody(body)).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/BAD_REQUEST|UNSUPPORTED/) }),
    );
  });
});

const podWith = (
  state: KubernetesState,
  phase: "Pending" | "Running" | "Succeeded" | "Failed",
  restartCount = 0,
): Pod => ({
  ...{ apiVersion: "v1", kind: "Pod" },
  metadata: { name: "web", uid: "u1", resourceVersion: "1", generation: 1, creationTimestamp: "2026-01-01T00:00:00Z" },
  spec: { containers: [] },
  status: { phase, containerStatuses: [{ name: "main", image: "", imageID: "", ready: true, restartCount, state }] },
});
const terminated = {
  terminated: { exitCode: 3, reason: "Error", startedAt: "2026-01-01T00:00:01Z", finishedAt: "2026-01-01T00:00:30Z" },
};
const running = { running: { startedAt: "2026-01-01T00:00:50Z" } };

const runs = podWith(running, "Running");
const backedOff: Pod = {
  ...runs,
  status: {
    phase: "Running",
    containerStatuses: [
      {
        ...{ name: "main", image: "", imageID: "", ready: false, restartCount: 0, lastState: terminated },
        state: { waiting: { reason: "CrashLoopBackOff" } },
      },
    ],
  },
};
const onceOnly = (pod: Pod): Pod => ({ ...pod, spec: { ...pod.spec, restartPolicy: "Never" } });
const pausedPod = { ...runs, metadata: { ...runs.metadata, annotations: { "shallop.dev/paused": "true" } } };

test.each<[string, Pod | undefined, string]>([
  ["without a pod", undefined, "Created"],
  ["pulling", podWith({ waiting: { reason: "ContainerCreating" } }, "Pending"), "Created"],
  ["running", runs, "Up 10 seconds"],
  ["paused", pausedPod, "Up 10 seconds (Paused)"],
  ["ended", podWith(terminated, "Failed"), "Exited (3) 30 seconds ago"],
  ["between two runs", podWith(terminated, "Running", 1), "Restarting (3) 30 seconds ago"],
  ["that waits for its second run", backedOff, "Restarting (3) 30 seconds ago"],
  ["that has ended, and its pod has not yet", onceOnly(podWith(terminated, "Running")), "Exited (3) 30 seconds ago"],
])("a container %s: %s", (_, pod, text) => {
  expect(statusText(stateOf(recordOf({}), pod, nowMs), nowMs)).toBe(text);
});

test("a program that is not there ends with 127, in words that clients know", () => {
  const message = "executable file `nosuch` not found in $PATH: No such file or directory";
  const state = { terminated: { ...terminated.terminated, exitCode: 128, reason: "StartError", message } };
  expect(stateOf(recordOf({}), podWith(state, "Failed"), nowMs).ended?.exitCode).toBe(127);
  expect(startErrorText(message)).toContain('"nosuch": executable file not found in $PATH');
});

test.each([
  "open executable: Operation not permitted",
  "open executable: Permission denied",
  'exec: "/bin/": is a directory',
])("a program that cannot be run ends with 126, in words that clients know: %s", (message) => {
  const state = { terminated: { ...terminated.terminated, exitCode: 128, reason: "StartError", message } };
  expect(stateOf(recordOf({}), podWith(state, "Failed"), nowMs).ended?.exitCode).toBe(126);
  expect(startErrorText(message)).toContain("permission denied");
});

test.each([
  ["too few failures", [1, 1], 0, false],
  ["as many as it takes", [1, 1, 1], 0, true],
  ["one of them was a success", [1, 0, 1, 1], 0, false],
  ["some of them while it might still start", [1, 1, 1], 1.5e9, false],
  ["enough of them afterwards", [1, 1, 1, 1, 1], 1.5e9, true],
] as const)("a check has failed: %s", (_what, codes, startPeriodNs, failed) => {
  const results = codes.map((exitCode, at) => ({ startWallMs: at * 1000, endWallMs: at * 1000, exitCode, output: "" }));
  const failingStreak = codes.length - 1 - codes.findLastIndex((code) => code === 0);
  const check = { test: ["CMD", "a"], intervalNs: 1e9, timeoutNs: 1e9, retries: 3, startPeriodNs };
  expect(hasFailed(check, { container: "main", failingStreak, results }, 0)).toBe(failed);
});

test("the list says unhealthy as soon as inspect does", () => {
  const record = recordOf({ Healthcheck: { Test: ["CMD", "a"], Interval: 1e9, Timeout: 1e9, Retries: 1 } });
  const state = { name: "running", startedAt: "1970-01-01T00:00:00Z", restartCount: 0, health: "starting" } as const;
  const result = { startWallMs: 1000, endWallMs: 1000, exitCode: 1, output: "" };
  const checks = { container: "main", failingStreak: 1, results: [result] };
  const view = { record, pod: undefined, state };
  expect(statusText(withChecks(view, checks).state, nowMs)).toMatch(/ \(unhealthy\)$/);
  expect(statusText(withChecks(view, { ...checks, failingStreak: 0, results: [] }).state, nowMs)).toMatch(
    /health: starting/,
  );
});

test("what the image says is shown of a container that says nothing else", () => {
  const imageConfig = {
    ...{ StopSignal: "SIGINT", Volumes: { "/data": {} }, Shell: ["/bin/ash", "-c"] },
    Healthcheck: { Test: ["CMD", "true"], Interval: 5, Retries: 2 },
  };
  const shown = (body: ContainerRecord["body"]): unknown => {
    const record = recordOf(body, { imageConfig });
    const context = { nowMs, volumePath: (name: string) => name, networkId: (name: string) => name };
    const checks = { container: "main", failingStreak: 1, results: [] };
    const result = { startWallMs: 0, endWallMs: 1500, exitCode: 1, output: "no" };
    const live = { pid: 0, checks: { ...checks, results: [result] } };
    return containerInspection({ record, pod: undefined, state: stateOf(record, undefined, nowMs) }, context, live);
  };
  expect(shown({ StopSignal: "", Volumes: null, Healthcheck: { Retries: 7, Interval: 0 } })).toMatchObject({
    Config: { ...imageConfig, Healthcheck: { Test: ["CMD", "true"], Interval: 5, Retries: 7 } },
    State: {
      Health: {
        FailingStreak: 1,
        Log: [{ Start: "1970-01-01T00:00:00.000Z", End: "1970-01-01T00:00:01.500Z", ExitCode: 1, Output: "no" }],
      },
    },
  });
  expect(shown({ StopSignal: "SIGHUP", Healthcheck: { Test: ["NONE"] } })).toMatchObject({
    Config: { StopSignal: "SIGHUP", Healthcheck: { Test: ["NONE"] } },
  });
});

test.each([
  { Name: "no", exitCode: 1, run: "u/0", again: false },
  { Name: "", exitCode: 1, run: "u/0", again: false },
  { Name: "always", exitCode: 0, run: "u/9", again: true },
  { Name: "unless-stopped", exitCode: 0, run: "u/9", again: true },
  { Name: "on-failure", exitCode: 0, run: "u/0", again: false },
  { Name: "on-failure", exitCode: 3, run: "u/9", again: true },
  { Name: "on-failure", MaximumRetryCount: 2, exitCode: 3, run: "u/1", again: true },
  { Name: "on-failure", MaximumRetryCount: 2, exitCode: 3, run: "u/2", again: false },
])("what is started again after an end: %j", ({ Name, MaximumRetryCount = 0, exitCode, run, again }) => {
  const ended = { run, exitCode, startedAt: "", finishedAt: "", oomKilled: false, error: "" };
  const record = recordOf({ HostConfig: { RestartPolicy: { Name, MaximumRetryCount } } }, { ended });
  expect(isStartedAgain(record)).toBe(again);
  expect(isStartedAgain({ ...record, stopped: true })).toBe(false);
  expect(isStartedAgain(recordOf(record.body))).toBe(false);
});

test("RestartCount counts an end that is to be followed by a start, while that is waited for", () => {
  const shown = (pod: Pod): unknown => {
    const record = recordOf({});
    const context = { nowMs, volumePath: (name: string) => name, networkId: (name: string) => name };
    return containerInspection({ record, pod, state: stateOf(record, pod, nowMs) }, context);
  };
  expect(shown(podWith(terminated, "Running", 1))).toMatchObject({ RestartCount: 2 });
  expect(shown(podWith(running, "Running", 2))).toMatchObject({ RestartCount: 2 });
});

test("names of pods, ages, signals, patterns of names", () => {
  expect([podNameOf("web", id), podNameOf("My_App.1", id), podNameOf("__", id)]).toEqual([
    "web",
    "my-app-1-abababab",
    "c-abababab",
  ]);
  expect([500, 1000, 90_000, 3 * 3_600_000, 72 * 3_600_000].map(humanAge)).toEqual([
    ...["Less than a second", "1 second", "About a minute", "3 hours", "3 days"],
  ]);
  expect(["TERM", "SIGKILL", "9", "sigrtmin+1"].map(signalNumber)).toEqual([15, 9, 9, 35]);
  expect(() => signalNumber("0; reboot")).toThrow(expect.objectContaining({ code: "BAD_REQUEST" }));
  expect([matchesName("web", "^/web$"), matchesName("web2", "^/web$"), matchesName("web2", "eb")]).toEqual([
    true,
    false,
    true,
  ]);
});
