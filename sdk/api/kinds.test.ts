import { validateAutoscaling } from "./validation/autoscaling.ts";
import { assert as check, constantFrom, jsonValue, property } from "fast-check";
import { describe, expect, test } from "vitest";
import { conform, missingFields } from "./conform.ts";
import type { JsonObject } from "./json.ts";
import { withDefaults } from "./kind.ts";
import { kindAt, kindOf, kinds } from "./kinds.ts";
import { pods } from "./resources.ts";
import { messageType } from "./types/type-table.ts";
import { validateMetadata } from "./validation/metadata.ts";

const settings = { allowZeroInitialScale: false };

const kindNamed = (name: string) => {
  const found = kinds.find((kind) => kind.resource.kind === name);
  if (found === undefined) throw new Error(`no kind ${name}`);
  return found;
};

const faults = (name: string, object: JsonObject, old?: JsonObject): string[] => {
  const kind = kindNamed(name);
  const { value, causes } = conform(kind.type, object);
  const full = withDefaults(kind, value);
  return [...causes, ...kind.validate(full, old, settings)].map(({ field, message }) => `${field}: ${message}`);
};

describe.each(kinds.map((kind) => ({ name: kind.resource.kind, kind })))("$name", ({ kind }) => {
  test("is consistent", () => {
    expect(kindOf(kind.resource)).toBe(kind);
    expect(messageType(kind.type).fields.has("metadata")).toBe(true);
    expect(kind.subresources.includes("status")).toBe(messageType(kind.type).fields.has("status"));
    for (const field of kind.generationOf) expect(messageType(kind.type).fields.has(field)).toBe(true);
  });

  test("takes whatever comes without breaking", () => {
    const json = jsonValue({ maxDepth: 6 }).filter((value) => typeof value === "object" && value !== null);
    check(
      property(json, constantFrom("spec", "status", "metadata", "involvedObject"), (value, place) => {
        const { value: object } = conform(kind.type, { metadata: { name: "a" }, [place]: value });
        const full = withDefaults(kind, object);
        expect(withDefaults(kind, full)).toEqual(full);
        kind.validate(full, undefined, settings);
        validateMetadata(full, kind.nameRule);
        missingFields(kind.type, full);
        for (const column of kind.columns) column.cell(full, 0);
      }),
      { numRuns: 200 },
    );
  });
});

test("unknown groups, versions and plurals are nothing", () => {
  expect(kindAt("", "v2", "pods")).toBeUndefined();
  expect(kindAt("apps", "v1", "pods")).toBeUndefined();
  expect(kindOf({ ...pods, plural: "constructor" })).toBeUndefined();
});

test("a pod gets the defaults of Kubernetes", () => {
  const pod = withDefaults(kindNamed("Pod"), {
    spec: {
      containers: [{ name: "c", image: "a:1", ports: [{ containerPort: 80 }], resources: { limits: { cpu: "1" } } }],
    },
  });
  expect(pod).toMatchObject({
    spec: {
      restartPolicy: "Always",
      dnsPolicy: "ClusterFirst",
      terminationGracePeriodSeconds: 30,
      containers: [
        {
          imagePullPolicy: "IfNotPresent",
          terminationMessagePolicy: "File",
          ports: [{ containerPort: 80, protocol: "TCP" }],
          resources: { limits: { cpu: "1" }, requests: { cpu: "1" } },
        },
      ],
    },
  });
});

test("a Knative Service gets the defaults of Knative, a container of a revision none of a pod's", () => {
  const service = withDefaults(kindNamed("Service"), {
    spec: { template: { spec: { containers: [{ image: "a" }] } } },
  });
  expect(service).toEqual({
    spec: {
      template: {
        spec: {
          containers: [{ image: "a", name: "user-container", resources: {} }],
          containerConcurrency: 0,
          timeoutSeconds: 300,
          enableServiceLinks: false,
        },
      },
      traffic: [{ latestRevision: true, percent: 100 }],
    },
  });
});

const template = (spec: JsonObject = {}, annotations: JsonObject = {}): JsonObject => ({
  metadata: { annotations },
  spec: { containers: [{ image: "a" }], ...spec },
});
const container = (more: JsonObject): JsonObject => template({ containers: [{ image: "a", ...more }] });

const serviceCases: { name: string; spec: JsonObject; fault: string | undefined }[] = [
  { name: "the least", spec: { template: template() }, fault: undefined },
  { name: "no template", spec: {}, fault: "spec.template: Required value" },
  {
    name: "no image",
    spec: { template: template({ containers: [{}] }) },
    fault: "spec.template.spec.containers[0].image",
  },
  {
    name: "no container",
    spec: { template: template({ containers: [] }) },
    fault: "spec.template.spec.containers: Required",
  },
  {
    name: "sidecar",
    spec: { template: template({ containers: [{ image: "a" }, { name: "b", image: "a" }] }) },
    fault: "sidecars",
  },
  { name: "concurrency 1000", spec: { template: template({ containerConcurrency: 1000 }) }, fault: undefined },
  {
    name: "concurrency 1001",
    spec: { template: template({ containerConcurrency: 1001 }) },
    fault: "containerConcurrency",
  },
  { name: "timeout 600", spec: { template: template({ timeoutSeconds: 600 }) }, fault: undefined },
  { name: "timeout 601", spec: { template: template({ timeoutSeconds: 601 }) }, fault: "timeoutSeconds <= 600" },
  {
    name: "idle over timeout",
    spec: { template: template({ timeoutSeconds: 5, idleTimeoutSeconds: 6 }) },
    fault: "idleTimeoutSeconds",
  },
  { name: "volumes", spec: { template: template({ volumes: [] }) }, fault: "spec.template.spec.volumes: Forbidden" },
  {
    name: "reserved variable",
    spec: { template: container({ env: [{ name: "PORT", value: "1" }] }) },
    fault: "env[0].name: Forbidden",
  },
  {
    name: "two ports",
    spec: { template: container({ ports: [{ containerPort: 1 }, { containerPort: 2 }] }) },
    fault: "one port",
  },
  {
    name: "port 0",
    spec: { template: container({ ports: [{ containerPort: 0 }] }) },
    fault: "containerPort: Required",
  },
  {
    name: "port 65536",
    spec: { template: container({ ports: [{ containerPort: 65_536 }] }) },
    fault: "between 1 and 65535",
  },
  {
    name: "udp",
    spec: { template: container({ ports: [{ containerPort: 1, protocol: "UDP" }] }) },
    fault: "Unsupported value",
  },
  {
    name: "request over limit",
    spec: { template: container({ resources: { limits: { cpu: 1 }, requests: { cpu: "1001m" } } }) },
    fault: "must be less than or equal to cpu limit",
  },
  {
    name: "no quantity",
    spec: { template: container({ resources: { limits: { cpu: "lots" } } }) },
    fault: "quantities must match",
  },
  {
    name: "wrong type",
    spec: { template: template({ timeoutSeconds: "9" }) },
    fault: 'must be of type integer: "string"',
  },
  {
    name: "variant",
    spec: { template: template({}, { "shallop.dev/prefer-variant": "jvm" }) },
    fault: "prefer-variant",
  },
  {
    name: "traffic 99",
    spec: { template: template(), traffic: [{ percent: 99 }] },
    fault: "spec.traffic: Invalid value: 99",
  },
  {
    name: "traffic split",
    spec: { template: template(), traffic: [{ percent: 40 }, { revisionName: "s-00001", percent: 60, tag: "old" }] },
    fault: undefined,
  },
  {
    name: "tag twice",
    spec: { template: template(), traffic: [{ percent: 100, tag: "a" }, { tag: "a" }] },
    fault: "Duplicate value",
  },
  { name: "tag is no label", spec: { template: template(), traffic: [{ percent: 100, tag: "A" }] }, fault: "DNS-1035" },
  {
    name: "both",
    spec: { template: template(), traffic: [{ percent: 100, revisionName: "a", latestRevision: true }] },
    fault: "may not be true",
  },
  {
    name: "neither",
    spec: { template: template(), traffic: [{ percent: 100, latestRevision: false }] },
    fault: "revisionName: Required",
  },
  {
    name: "configuration",
    spec: { template: template(), traffic: [{ percent: 100, configurationName: "a" }] },
    fault: "configurationName: Forbidden",
  },
  { name: "own name", spec: { template: { ...template(), metadata: { name: "s-blue" } } }, fault: undefined },
  {
    name: "foreign name",
    spec: { template: { ...template(), metadata: { name: "t-blue" } } },
    fault: 'must have the prefix "s-"',
  },
];

test.each(serviceCases)("Service: $name", ({ spec, fault }) => {
  const found = faults("Service", { metadata: { name: "s" }, spec });
  if (fault === undefined) expect(found).toEqual([]);
  else expect(found.join("\n")).toContain(fault);
});

const scaling: { annotation: string; good: string[]; bad: string[] }[] = [
  {
    annotation: "class",
    good: ["kpa.autoscaling.knative.dev", "hpa.autoscaling.knative.dev"],
    bad: ["x.autoscaling.knative.dev", "keda.example.com"],
  },
  { annotation: "metric", good: ["concurrency", "rps"], bad: ["cpu", "queue", ""] },
  { annotation: "target", good: ["0.01", "100", "1e3"], bad: ["0", "-1", "x"] },
  { annotation: "target-utilization-percentage", good: ["1", "100"], bad: ["0", "0.7", "101"] },
  { annotation: "target-burst-capacity", good: ["-1", "0", "211"], bad: ["-2", "-0.5"] },
  { annotation: "window", good: ["6s", "1h", "1m30s"], bad: ["5s", "61m", "6500ms", "60"] },
  { annotation: "panic-window-percentage", good: ["1", "100"], bad: ["0.9", "101"] },
  { annotation: "panic-threshold-percentage", good: ["110", "1000"], bad: ["109", "1001"] },
  { annotation: "scale-down-delay", good: ["0s", "0", "1h"], bad: ["-1s", "2h"] },
  { annotation: "scale-to-zero-pod-retention-period", good: ["0s", "1m", "1500ms"], bad: ["1d", "61m"] },
  { annotation: "initial-scale", good: ["1", "5"], bad: ["0", "-1", "1.5"] },
  { annotation: "min-scale", good: ["0", "3", "2147483647"], bad: ["-1", "a", "2147483648"] },
  { annotation: "max-scale", good: ["0", "3"], bad: ["-1", "2.5"] },
  { annotation: "activation-scale", good: ["2"], bad: ["1", "0"] },
  { annotation: "minScale", good: ["2"], bad: ["x"] },
];

test.each(scaling)("autoscaling.knative.dev/$annotation", ({ annotation, good, bad }) => {
  const check = (value: string): string[] =>
    faults("Service", {
      metadata: { name: "s" },
      spec: { template: template({}, { [`autoscaling.knative.dev/${annotation}`]: value }) },
    });
  for (const value of good) expect(check(value)).toEqual([]);
  for (const value of bad) expect(check(value)).toHaveLength(1);
});

const together: { name: string; annotations: Record<string, string>; fault: string | undefined }[] = [
  {
    name: "class hpa, by memory",
    annotations: {
      "autoscaling.knative.dev/class": "hpa.autoscaling.knative.dev",
      "autoscaling.knative.dev/metric": "memory",
    },
    fault: undefined,
  },
  {
    name: "class hpa, by requests",
    annotations: {
      "autoscaling.knative.dev/class": "hpa.autoscaling.knative.dev",
      "autoscaling.knative.dev/metric": "rps",
    },
    fault: "must be one of cpu, memory in this class",
  },
  {
    name: "several signals",
    annotations: { "autoscaling.shallop.dev/signals": "cpu=80,rps=50, queue=0.5" },
    fault: undefined,
  },
  { name: "a deadline", annotations: { "serving.knative.dev/progress-deadline": "20m" }, fault: undefined },
  { name: "no deadline", annotations: { "serving.knative.dev/progress-deadline": "x" }, fault: "from 1s to 24h" },
  { name: "one in parts", annotations: { "serving.knative.dev/progress-deadline": "1.5s" }, fault: "from 1s to 24h" },
  {
    name: "a signal of nobody",
    annotations: { "autoscaling.shallop.dev/signals": "disk=80" },
    fault: "must be a list",
  },
  { name: "no target", annotations: { "autoscaling.shallop.dev/signals": "cpu" }, fault: "must be a list" },
  { name: "no signal", annotations: { "autoscaling.shallop.dev/signals": "" }, fault: "must be a list" },
  { name: "one twice", annotations: { "autoscaling.shallop.dev/signals": "cpu=1,cpu=2" }, fault: "must name cpu once" },
  {
    name: "the metric again",
    annotations: { "autoscaling.shallop.dev/signals": "concurrency=80" },
    fault: "must not name concurrency",
  },
  {
    name: "activation-scale above max-scale",
    annotations: { "autoscaling.knative.dev/activation-scale": "5", "autoscaling.knative.dev/max-scale": "4" },
    fault: "must not be more than autoscaling.knative.dev/max-scale 4",
  },
  {
    name: "activation-scale below min-scale",
    annotations: { "autoscaling.knative.dev/activation-scale": "2", "autoscaling.knative.dev/min-scale": "4" },
    fault: "must not be less than autoscaling.knative.dev/min-scale 4",
  },
];

test.each(together)("annotations of the autoscaler that go together: $name", ({ annotations, fault }) => {
  const found = faults("Service", { metadata: { name: "s" }, spec: { template: template({}, annotations) } });
  if (fault === undefined) expect(found).toEqual([]);
  else expect(found).toEqual([expect.stringContaining(fault)]);
});

test("max-scale stays within max-scale-limit", () => {
  const check = (value: string): readonly unknown[] =>
    validateAutoscaling({ "autoscaling.knative.dev/max-scale": value }, "", {
      allowZeroInitialScale: false,
      maxScaleLimit: 10,
    });
  expect([check("10"), check("1")]).toEqual([[], []]);
  expect([check("11"), check("0")]).toEqual([[expect.anything()], [expect.anything()]]);
});

test("min-scale is not over max-scale, and annotations of the autoscaler belong in the template", () => {
  const both = { "autoscaling.knative.dev/min-scale": "3", "autoscaling.knative.dev/max-scale": "2" };
  expect(faults("Service", { metadata: { name: "s" }, spec: { template: template({}, both) } })).toEqual([
    expect.stringContaining("must not be more than autoscaling.knative.dev/max-scale 2"),
  ]);
  expect(
    faults("Service", { metadata: { name: "s", annotations: both }, spec: { template: template() } }),
  ).toHaveLength(2);
});

test("a template that names its revision must get a new name when it changes", () => {
  const named = (image: string): JsonObject => ({
    metadata: { name: "s" },
    spec: { template: { metadata: { name: "s-blue" }, spec: { containers: [{ image }] } } },
  });
  const old = withDefaults(kindNamed("Service"), named("a"));
  expect(faults("Service", named("a"), old)).toEqual([]);
  expect(faults("Service", named("b"), old)).toEqual([expect.stringContaining("give a new name or none")]);
});

test("a Revision never changes", () => {
  const revision = (image: string): JsonObject => ({ metadata: { name: "s-1" }, spec: { containers: [{ image }] } });
  const old = withDefaults(kindNamed("Revision"), revision("a"));
  expect(faults("Revision", revision("a"), old)).toEqual([]);
  expect(faults("Revision", revision("b"), old)).toEqual([expect.stringContaining("a Revision never changes")]);
});

test("of a pod only images, deadline and tolerations change, and its node once", () => {
  const pod = (spec: JsonObject): JsonObject => ({ spec: { containers: [{ name: "c", image: "a" }], ...spec } });
  const old = withDefaults(kindNamed("Pod"), pod({}));
  expect(faults("Pod", pod({ containers: [{ name: "c", image: "b" }] }), old)).toEqual([]);
  expect(faults("Pod", pod({ nodeName: "n1" }), old)).toEqual([]);
  expect(faults("Pod", pod({ nodeName: "n2" }), withDefaults(kindNamed("Pod"), pod({ nodeName: "n1" })))).toHaveLength(
    1,
  );
  expect(faults("Pod", pod({ hostNetwork: true }), old)).toEqual([
    expect.stringContaining("spec: Forbidden: pod updates"),
  ]);
});

test("types are held in all places, and null is nothing", () => {
  const { value, unknownFields, causes } = conform("Pod", {
    metadata: { name: "a", labels: { a: 1 }, creationTimestamp: null },
    spec: { containers: [{ nam: "c", ports: [{ containerPort: "80" }], command: "x" }, null], hostUsers: "no" },
  });
  expect(value).toMatchObject({ metadata: { name: "a" } });
  expect(value["metadata"]).not.toHaveProperty("creationTimestamp");
  expect(unknownFields).toEqual(["spec.containers[0].nam"]);
  expect(causes.map(({ field }) => field)).toEqual([
    "metadata.labels.a",
    "spec.containers[0].ports[0].containerPort",
    "spec.containers[0].command",
    "spec.containers[1]",
    "spec.hostUsers",
  ]);
});
