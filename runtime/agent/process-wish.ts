import { annotation, isJsonObject } from "@shallop/sdk/api";
import { PodFault } from "../pod/pod-runtime.ts";
import type { PodSecurity, ResourceLimit } from "../pod/pod-security.ts";
import type { PodManifest } from "./manifest.ts";

/** What a pod says of its programs that Kubernetes has no field for. */
export interface ProcessWish extends Pick<PodSecurity, "user" | "resourceLimits"> {
  /** Processes and threads at once. */
  readonly pidsMax?: number;
}

/** setrlimit(2): what a process may be held to without harm to others. Not core, nice, rtprio, rttime, which reach further. */
const limitNames: ReadonlySet<string> = new Set(
  "as cpu data fsize locks memlock msgqueue nofile nproc rss sigpending stack".split(" "),
);
const userPattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,31})?$/;

/**
 * Reads the annotation `process`: `{"user": "www-data:adm", "ulimits": {"nofile": [soft, hard]}, "pids": 100}`.
 * @throws PodFault UNSUPPORTED
 */
export function processWishOf({
  namespace,
  name,
  annotations,
}: Pick<PodManifest, "namespace" | "name" | "annotations">): ProcessWish {
  const text = annotations[annotation.process];
  if (text === undefined) return {};
  const value = parsed(text);
  if (!isJsonObject(value)) throw unsupported(`${namespace}/${name}`, "it is no JSON object");
  const { user, ulimits, pids } = value;
  if (user !== undefined && (typeof user !== "string" || !userPattern.test(user)))
    throw unsupported(`${namespace}/${name}`, "user is not of the form user[:group]");
  if (pids !== undefined && !isCount(pids)) throw unsupported(`${namespace}/${name}`, "pids is no number");
  if (ulimits !== undefined && !isJsonObject(ulimits))
    throw unsupported(`${namespace}/${name}`, "ulimits is no object");
  const resourceLimits = Object.entries(ulimits ?? {}).map(([limit, pair]): ResourceLimit => {
    const [soft, hard] = Array.isArray(pair) ? pair : [];
    if (limitNames.has(limit) && isCount(soft) && isCount(hard) && soft <= hard) return { name: limit, soft, hard };
    throw unsupported(`${namespace}/${name}`, `the ulimit ${JSON.stringify(limit.slice(0, 40))} is none of a pod's`);
  });
  return {
    ...(user === undefined ? {} : { user }),
    ...(pids === undefined ? {} : { pidsMax: pids }),
    ...(resourceLimits.length === 0 ? {} : { resourceLimits }),
  };
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

const unsupported = (pod: string, why: string): PodFault =>
  new PodFault("UNSUPPORTED", `pod ${pod}: the annotation ${annotation.process}: ${why}`);
