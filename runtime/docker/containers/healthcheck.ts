import { type ContainerProbe, listAt } from "@shallop/sdk/api";
import type { ContainerChecks } from "@shallop/sdk/wire";
import type { ContainerRecord } from "./container-record.ts";
import { type Healthcheck, parseCreateBody } from "./create-body.ts";

/** The check that counts: the container's own, else the image's. Undefined when there is none, or it is taken away. */
export function imageHealthcheck(record: ContainerRecord): Healthcheck | undefined {
  const own = parseCreateBody(record.body).healthcheck;
  const check =
    own !== undefined && own.test.length > 0 ? own : (parseCreateBody(record.imageConfig).healthcheck ?? own);
  if (check === undefined || check.test.length < 2 || check.test[0] === "NONE") return undefined;
  // Times that only the container says go with the image's test.
  return own === undefined || own === check ? check : { ...check, ...given(own) };
}

const given = (own: Healthcheck): Partial<Healthcheck> =>
  Object.fromEntries(Object.entries(own).filter(([name, value]) => name !== "test" && Number(value) > 0));

/** Docker's own where nothing is said. */
export const retriesOf = ({ retries }: Pick<Healthcheck, "retries">): number => (retries > 0 ? retries : 3);

/** Has it failed as often in a row as it takes, without what failed while the program may still start? Pure. */
export function hasFailed(check: Healthcheck, checks: ContainerChecks, startedMs: number): boolean {
  const countsFromMs = startedMs + 1000 * nanosecondsToSeconds(check.startPeriodNs, 0);
  const counted = checks.results.filter(({ startWallMs }) => startWallMs >= countsFromMs);
  const failures = counted.length - 1 - counted.findLastIndex(({ exitCode }) => exitCode === 0);
  const retries = retriesOf(check);
  // Of more than the node remembers, the streak tells the rest.
  return checks.failingStreak >= retries && failures >= Math.min(retries, checks.results.length);
}

export const nanosecondsToSeconds = (nanoseconds: number, initial: number): number =>
  nanoseconds > 0 ? nanoseconds / 1e9 : initial;

const plainShell = ["/bin/sh", "-c"];

/** What runs a check that is one line: the image's SHELL, as it runs the image's own lines. */
export function checkShell({ imageConfig }: Pick<ContainerRecord, "imageConfig">): readonly string[] {
  const words = listAt(imageConfig, "Shell").filter((word) => typeof word === "string");
  return words.length === 0 ? plainShell : words;
}

/** As a readiness probe: healthy is ready. Docker's own defaults where nothing is said. */
export function healthProbe(
  { test, intervalNs, timeoutNs, startPeriodNs, retries }: Healthcheck,
  shell: readonly string[],
): ContainerProbe {
  const whole = (nanoseconds: number, initial: number): number =>
    Math.max(1, Math.round(nanosecondsToSeconds(nanoseconds, initial)));
  const [kind, ...words] = test;
  const command = kind === "CMD-SHELL" ? [...shell, ...words] : words;
  return {
    exec: { command },
    periodSeconds: whole(intervalNs, 30),
    timeoutSeconds: whole(timeoutNs, 30),
    failureThreshold: retriesOf({ retries }),
    initialDelaySeconds: Math.min(whole(intervalNs, 30), startPeriodNs > 0 ? 1 : whole(intervalNs, 30)),
  };
}
