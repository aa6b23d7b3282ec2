import type { PodSpec } from "@shallop/sdk/api";
import { expect, test } from "vitest";
import { podIpToken } from "../pod/containers/container-launch.ts";
import { expandVariables } from "./expand-variables.ts";
import type { PreparedImage } from "./image-source.ts";
import type { PodManifest } from "./manifest.ts";
import { type GivenObjects, nothingGiven } from "./given-objects.ts";
import { isPlain, nativeNeed, planOf } from "./pod-plan.ts";

const prepared: PreparedImage = {
  image: {
    variant: "native",
    digest: `sha256:${"0".repeat(64)}`,
    layerPaths: [],
    sizeBytes: 0,
    config: { env: [], entrypoint: [], cmd: [], workingDir: "", user: "", exposedPorts: [] },
  },
  imageId: "registry/image@sha256:0",
  reason: "it is native",
};

const manifestOf = (spec: Partial<PodSpec>): PodManifest => ({
  namespace: "ns",
  name: "pod",
  labels: { app: "x", tier: 'say "hi"' },
  annotations: { note: "n" },
  ownerReferences: [],
  spec: { containers: [{ name: "c", image: "i" }], ...spec },
});

const facts = { uid: "u1", node: "node-a", hostIp: "10.0.0.1" };

function plan(spec: Partial<PodSpec>, given = nothingGiven): ReturnType<typeof planOf> {
  const manifest = manifestOf(spec);
  const names = [...(spec.initContainers ?? []), ...manifest.spec.containers].map(({ name = "" }) => name);
  return planOf({ manifest, images: new Map(names.map((name) => [name, prepared])), facts, given });
}

test("containers in their order, with their kinds, commands, limits and variables", () => {
  const { containers, restart, graceMs, activeDeadlineMs } = plan({
    restartPolicy: "OnFailure",
    terminationGracePeriodSeconds: 5,
    activeDeadlineSeconds: 60,
    initContainers: [
      { name: "init", image: "i" },
      { name: "proxy", image: "i", restartPolicy: "Always" },
    ],
    containers: [
      {
        name: "app",
        image: "i",
        command: ["run", "$(NAME)-$(APP)", "$$(NAME)", "$(NONE)"],
        env: [
          { name: "NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
          { name: "APP", valueFrom: { fieldRef: { fieldPath: "metadata.labels['app']" } } },
          { name: "IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } },
          { name: "CPU", valueFrom: { resourceFieldRef: { resource: "limits.cpu" } } },
          { name: "MIB", valueFrom: { resourceFieldRef: { resource: "limits.memory", divisor: "1Mi" } } },
          { name: "BOTH", value: "$(NAME)/$(CPU)" },
        ],
        resources: { limits: { cpu: "1500m", memory: "64Mi" } },
      },
    ],
  });
  expect(containers.map(({ name, kind }) => `${name} ${kind}`)).toEqual(["init init", "proxy sidecar", "app main"]);
  expect([restart, graceMs, activeDeadlineMs]).toEqual(["OnFailure", 5000, 60_000]);
  const app = containers[2];
  expect(app?.command).toEqual(["run", "pod-x", "$(NAME)", "$(NONE)"]);
  expect(Object.fromEntries(app?.env.map(({ name, value }) => [name, value]) ?? [])).toEqual({
    NAME: "pod",
    APP: "x",
    IP: podIpToken,
    CPU: "2",
    MIB: "64",
    BOTH: "pod/2",
  });
  expect(app?.limits).toMatchObject({ cpu: 1.5, memoryBytes: 64 << 20 });
});

test("a program's streams", () => {
  const { containers } = plan({ containers: [{ name: "c", image: "i", stdin: true, tty: true }] });
  expect(containers[0]?.streams).toEqual({ stdin: true, stdinOnce: false, tty: true });
});

test("probes and hooks, with core/v1's defaults and ports by name", () => {
  const { containers } = plan({
    containers: [
      {
        name: "c",
        image: "i",
        ports: [{ name: "http", containerPort: 8081 }],
        livenessProbe: { httpGet: { port: "http", path: "/live" } },
        readinessProbe: { tcpSocket: { port: 9 }, periodSeconds: 2, failureThreshold: 1 },
        startupProbe: { grpc: { port: 7 } },
        lifecycle: { preStop: { sleep: { seconds: 3 } }, postStart: { exec: { command: ["x"] } } },
      },
    ],
  });
  const [c] = containers;
  expect(c?.liveness).toEqual({
    action: { kind: "http", port: 8081, path: "/live", scheme: "http", headers: [] },
    initialDelayMs: 0,
    periodMs: 10_000,
    timeoutMs: 1000,
    successThreshold: 1,
    failureThreshold: 3,
  });
  expect(c?.readiness).toMatchObject({ action: { kind: "tcp", port: 9 }, periodMs: 2000, failureThreshold: 1 });
  expect(c?.startup?.action).toEqual({ kind: "grpc", port: 7, service: "" });
  expect(c?.preStop).toEqual({ kind: "sleep", durationMs: 3000 });
});

test("volumes: empty ones with their bounds, files about the pod, paths of the machine", () => {
  const { volumes } = plan({
    volumes: [
      { name: "disk", emptyDir: { sizeLimit: "1Gi" } },
      { name: "memory", emptyDir: { medium: "Memory" } },
      { name: "host", hostPath: { path: "/srv", type: "Directory" } },
      {
        name: "about",
        projected: {
          defaultMode: 0o400,
          sources: [{ downwardAPI: { items: [{ path: "labels", fieldRef: { fieldPath: "metadata.labels" } }] } }],
        },
      },
    ],
  });
  const base64 = Buffer.from('app="x"\ntier="say \\"hi\\""').toString("base64");
  expect(volumes.map(({ source }) => source)).toEqual([
    { kind: "emptyDir", inMemory: false, bytesMax: 2 ** 30 },
    { kind: "emptyDir", inMemory: true },
    { kind: "hostPath", path: "/srv", type: "Directory" },
    { kind: "files", files: [{ path: "labels", base64, mode: 0o400 }] },
  ]);
});

test.each([
  ["a path that leads out of its volume", { volumeMounts: [{ name: "v", mountPath: "/v", subPath: "../../etc" }] }],
  ["an absolute path below a volume", { volumeMounts: [{ name: "v", mountPath: "/v", subPath: "/etc" }] }],
  ["a port without a number", { livenessProbe: { tcpSocket: { port: "nope" } } }],
  ["a probe that says nothing", { livenessProbe: {} }],
])("refused: %s", (_, container) => {
  expect(() => plan({ containers: [{ name: "c", image: "i", ...container }] })).toThrow(
    expect.objectContaining({ code: "UNSUPPORTED" }) as Error,
  );
});

test("which pods only native containers can be, and which are pods of their own", () => {
  expect(nativeNeed(manifestOf({}))).toBeUndefined();
  expect(nativeNeed(manifestOf({ initContainers: [{ name: "i", image: "i" }] }))).toMatch(/several/);
  const mounting = (volume: object): PodManifest =>
    manifestOf({
      containers: [{ name: "c", image: "i", volumeMounts: [{ name: "v", mountPath: "/v" }] }],
      volumes: [{ name: "v", ...volume }],
    });
  expect(nativeNeed(mounting({ emptyDir: {} }))).toBeUndefined();
  expect(nativeNeed(mounting({ hostPath: { path: "/srv" } }))).toMatch(/path of the machine/);
  expect(isPlain(manifestOf({}))).toBe(true);
  expect(isPlain({ ...manifestOf({}), labels: { "serving.knative.dev/revision": "r" } })).toBe(false);
});

test("$(NAME) is expanded where there is a value, and stays where there is none", () => {
  const values = new Map([["A", "1"]]);
  expect(expandVariables("$(A) $$(A) $(NO) $A $(", values)).toBe("1 $(A) $(NO) $A $(");
});

const base64 = (text: string): string => Buffer.from(text).toString("base64");
const given: GivenObjects = {
  configMaps: new Map([
    [
      "settings",
      new Map([
        ["LEVEL", base64("info")],
        ["a.conf", base64("x=1")],
      ]),
    ],
  ]),
  secrets: new Map([["keys", new Map([["token", base64("s3cret")]])]]),
  services: [],
};

test("variables of Services give way to the pod's own, which may name them", () => {
  const api = {
    ...{ apiVersion: "v1", kind: "Service" as const, spec: { clusterIP: "10.96.0.1", ports: [{ port: 443 }] } },
    metadata: {
      namespace: "default",
      name: "kubernetes",
      uid: "k",
      generation: 1,
      resourceVersion: "1",
      creationTimestamp: "",
    },
  } as const;
  const env = [
    { name: "API", value: "https://$(KUBERNETES_SERVICE_HOST)" },
    { name: "KUBERNETES_SERVICE_PORT", value: "1" },
  ];
  const { containers } = plan({ containers: [{ name: "a", image: "i", env }] }, { ...nothingGiven, services: [api] });
  const known = Object.fromEntries(containers[0]?.env.map(({ name, value }) => [name, value]) ?? []);
  expect(known).toMatchObject({ API: "https://10.96.0.1", KUBERNETES_SERVICE_PORT: "1" });
});

test("variables and files of ConfigMaps and Secrets", () => {
  const { containers, volumes } = plan(
    {
      containers: [
        {
          name: "c",
          image: "i",
          envFrom: [
            { prefix: "APP_", configMapRef: { name: "settings" } },
            { secretRef: { name: "none", optional: true } },
          ],
          env: [
            { name: "TOKEN", valueFrom: { secretKeyRef: { name: "keys", key: "token" } } },
            { name: "BOTH", value: "$(APP_LEVEL)/$(TOKEN)" },
            { name: "NONE", valueFrom: { configMapKeyRef: { name: "settings", key: "none", optional: true } } },
          ],
        },
      ],
      volumes: [
        { name: "all", configMap: { name: "settings", defaultMode: 0o400 } },
        { name: "one", secret: { secretName: "keys", items: [{ key: "token", path: "deep/t", mode: 0o440 }] } },
        {
          name: "mixed",
          projected: { sources: [{ secret: { name: "keys" } }, { configMap: { name: "no", optional: true } }] },
        },
      ],
    },
    given,
  );
  expect(Object.fromEntries(containers[0]?.env.map(({ name, value }) => [name, value]) ?? [])).toEqual({
    APP_LEVEL: "info",
    "APP_a.conf": "x=1",
    TOKEN: "s3cret",
    BOTH: "info/s3cret",
  });
  const files = volumes.map(({ source }) =>
    source.kind === "files" ? source.files.map(({ path, mode }) => `${path} ${mode.toString(8)}`) : [],
  );
  expect(files).toEqual([["LEVEL 400", "a.conf 400"], ["deep/t 440"], ["token 644"]]);
});

test.each([
  { env: [{ name: "X", valueFrom: { secretKeyRef: { name: "none", key: "k" } } }] },
  { env: [{ name: "X", valueFrom: { secretKeyRef: { name: "keys", key: "none" } } }] },
  { envFrom: [{ configMapRef: { name: "none" } }] },
])("what is not there and must be is told: %j", (container) => {
  expect(() => plan({ containers: [{ name: "c", image: "i", ...container }] }, given)).toThrow(/not found|has no key/);
});
