import { dig, isJsonObject, type Json, type JsonObject, listAt, numberAt, objectAt, textAt } from "../json.ts";

/** Levels of the Pod Security Standards, as the label `pod-security.kubernetes.io/enforce` of a namespace names them. */
export const podSecurityLevels = ["privileged", "baseline", "restricted"] as const;
export type PodSecurityLevel = (typeof podSecurityLevels)[number];

export const isPodSecurityLevel = (text: string | undefined): text is PodSecurityLevel =>
  podSecurityLevels.some((level) => level === text);

// k8s.io/pod-security-admission/policy: what a pod of level baseline may ask for, newest version of each check.
const baselineCapabilities: readonly string[] = [
  "AUDIT_WRITE",
  "CHOWN",
  "DAC_OVERRIDE",
  "FOWNER",
  "FSETID",
  "KILL",
  "MKNOD",
  "NET_BIND_SERVICE",
  "SETFCAP",
  "SETGID",
  "SETPCAP",
  "SETUID",
  "SYS_CHROOT",
];
const restrictedCapabilities: readonly string[] = ["NET_BIND_SERVICE"];
const baselineSysctls: readonly string[] = [
  "kernel.shm_rmid_forced",
  "net.ipv4.ip_local_port_range",
  "net.ipv4.ip_local_reserved_ports",
  "net.ipv4.ip_unprivileged_port_start",
  "net.ipv4.ping_group_range",
  "net.ipv4.tcp_fin_timeout",
  "net.ipv4.tcp_keepalive_intvl",
  "net.ipv4.tcp_keepalive_probes",
  "net.ipv4.tcp_keepalive_time",
  "net.ipv4.tcp_rmem",
  "net.ipv4.tcp_syncookies",
  "net.ipv4.tcp_wmem",
];
const restrictedVolumes: readonly string[] = [
  "configMap",
  "csi",
  "downwardAPI",
  "emptyDir",
  "ephemeral",
  "image",
  "persistentVolumeClaim",
  "projected",
  "secret",
];
const seLinuxTypes: readonly string[] = [
  "",
  "container_t",
  "container_init_t",
  "container_kvm_t",
  "container_engine_t",
];

/**
 * What of a pod's spec the level does not allow, in the words of Kubernetes' own admission; empty when all is. Pure.
 * Without a level it is baseline, with ports of the node.
 * Pod Security Standards, https://kubernetes.io/docs/concepts/security/pod-security-standards/.
 */
export function podSecurityViolations(spec: Json | undefined, level: PodSecurityLevel | undefined): readonly string[] {
  if (level === "privileged") return [];
  const pod = objectAt(spec);
  const baseline = [
    ...hostNamespaces(pod),
    ...offending(pod, "privileged", (one) => isTrue(one, "privileged"), "must not set securityContext.privileged=true"),
    ...capabilities(pod, "non-default capabilities", baselineCapabilities),
    ...hostPathVolumes(pod),
    ...(level === undefined ? [] : hostPorts(pod)),
    ...seLinux(pod),
    ...offending(
      pod,
      "procMount",
      (one) => (textAt(one, "securityContext", "procMount") ?? "Default") !== "Default",
      "must not set securityContext.procMount to anything but Default",
    ),
    ...sysctls(pod),
  ];
  if (level === "restricted") return [...baseline, ...restricted(pod)];
  return [...baseline, ...unconfined(pod)];
}

function restricted(pod: JsonObject): readonly string[] {
  return [
    ...volumeTypes(pod),
    ...offending(
      pod,
      "allowPrivilegeEscalation != false",
      (one) => dig(one, "securityContext", "allowPrivilegeEscalation") !== false,
      "must set securityContext.allowPrivilegeEscalation=false",
    ),
    ...undropped(pod),
    ...nonRoot(pod),
    ...offending(
      pod,
      "seccompProfile",
      (one) => !["RuntimeDefault", "Localhost"].includes(effectiveSeccomp(pod, one)),
      'must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"',
    ),
  ];
}

const containersOf = (pod: JsonObject): readonly Json[] =>
  ["initContainers", "containers", "ephemeralContainers"].flatMap((list) => listAt(pod, list));

const nameOf = (container: Json): string => textAt(container, "name") ?? "";

const quoted = (names: readonly string[]): string => names.map((name) => JSON.stringify(name)).join(", ");

const subject = (names: readonly string[]): string => `container${names.length > 1 ? "s" : ""} ${quoted(names)}`;

const isTrue = (container: Json, field: string): boolean => dig(container, "securityContext", field) === true;

function offending(
  pod: JsonObject,
  check: string,
  isOffence: (container: Json) => boolean,
  demand: string,
): readonly string[] {
  const names = containersOf(pod).filter(isOffence).map(nameOf);
  return names.length === 0 ? [] : [`${check} (${subject(names)} ${demand})`];
}

function hostNamespaces(pod: JsonObject): readonly string[] {
  const asked = ["hostNetwork", "hostPID", "hostIPC"].filter((field) => dig(pod, field) === true);
  return asked.length === 0 ? [] : [`host namespaces (${asked.map((field) => `${field}=true`).join(", ")})`];
}

const added = (container: Json): readonly string[] =>
  listAt(container, "securityContext", "capabilities", "add").filter((name) => typeof name === "string");

function capabilities(pod: JsonObject, check: string, allowed: readonly string[]): readonly string[] {
  const isOffence = (container: Json): boolean => added(container).some((name) => !allowed.includes(name));
  const names = new Set(
    containersOf(pod).flatMap((container) => added(container).filter((name) => !allowed.includes(name))),
  );
  return offending(
    pod,
    check,
    isOffence,
    `must not include ${quoted([...names].sort())} in securityContext.capabilities.add`,
  );
}

function hostPathVolumes(pod: JsonObject): readonly string[] {
  const names = listAt(pod, "volumes").flatMap((volume) =>
    dig(volume, "hostPath") === undefined ? [] : [textAt(volume, "name") ?? ""],
  );
  return names.length === 0 ? [] : [`hostPath volumes (volume${names.length > 1 ? "s" : ""} ${quoted(names)})`];
}

const portsOf = (container: Json): readonly number[] =>
  listAt(container, "ports").flatMap((port) => {
    const number = numberAt(port, "hostPort") ?? 0;
    return number === 0 ? [] : [number];
  });

function hostPorts(pod: JsonObject): readonly string[] {
  const using = containersOf(pod).filter((container) => portsOf(container).length > 0);
  if (using.length === 0) return [];
  return [`hostPort (${subject(using.map(nameOf))} uses hostPorts ${using.flatMap(portsOf).join(", ")})`];
}

/** Settings of the pod and of each container, with how to name whose they are. */
const contexts = (pod: JsonObject): readonly (readonly [whose: string, context: Json | undefined])[] => [
  ["pod", dig(pod, "securityContext")],
  ...containersOf(pod).map((one) => [subject([nameOf(one)]), dig(one, "securityContext")] as const),
];

function seLinux(pod: JsonObject): readonly string[] {
  return contexts(pod).flatMap(([whose, context]) => {
    const options = dig(context, "seLinuxOptions");
    if (!isJsonObject(options)) return [];
    const text = (field: string): string => textAt(options, field) ?? "";
    const isFine = seLinuxTypes.includes(text("type")) && text("user") === "" && text("role") === "";
    return isFine ? [] : [`seLinuxOptions (${whose} set forbidden securityContext.seLinuxOptions)`];
  });
}

function sysctls(pod: JsonObject): readonly string[] {
  const names = listAt(pod, "securityContext", "sysctls").map((sysctl) => textAt(sysctl, "name") ?? "");
  const forbidden = names.filter((name) => !baselineSysctls.includes(name));
  return forbidden.length === 0 ? [] : [`forbidden sysctls (${forbidden.join(", ")})`];
}

const unconfined = (pod: JsonObject): readonly string[] =>
  contexts(pod).flatMap(([whose, context]) =>
    textAt(context, "seccompProfile", "type") === "Unconfined"
      ? [`seccompProfile (${whose} must not set securityContext.seccompProfile.type to "Unconfined")`]
      : [],
  );

const effectiveSeccomp = (pod: JsonObject, container: Json): string =>
  textAt(container, "securityContext", "seccompProfile", "type") ??
  textAt(pod, "securityContext", "seccompProfile", "type") ??
  "";

function volumeTypes(pod: JsonObject): readonly string[] {
  const forbidden = listAt(pod, "volumes").flatMap((volume) =>
    Object.keys(objectAt(volume)).filter((key) => key !== "name" && !restrictedVolumes.includes(key)),
  );
  return forbidden.length === 0 ? [] : [`restricted volume types (${quoted([...new Set(forbidden)])})`];
}

function undropped(pod: JsonObject): readonly string[] {
  const keepsSome = (container: Json): boolean =>
    !listAt(container, "securityContext", "capabilities", "drop").includes("ALL");
  return [
    ...offending(pod, "unrestricted capabilities", keepsSome, 'must set securityContext.capabilities.drop=["ALL"]'),
    ...capabilities(pod, "unrestricted capabilities", restrictedCapabilities),
  ];
}

function nonRoot(pod: JsonObject): readonly string[] {
  const ofPod = dig(pod, "securityContext", "runAsNonRoot");
  const mayBeRoot = (container: Json): boolean => (dig(container, "securityContext", "runAsNonRoot") ?? ofPod) !== true;
  const zero = contexts(pod).filter(([, context]) => numberAt(context, "runAsUser") === 0);
  return [
    ...offending(pod, "runAsNonRoot != true", mayBeRoot, "must set securityContext.runAsNonRoot=true"),
    ...zero.map(([whose]) => `runAsUser=0 (${whose} must not set runAsUser=0)`),
  ];
}
