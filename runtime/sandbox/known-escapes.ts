import type { OciRuntimeProgram } from "./oci-runtime-program.ts";

/** A way out of containers that a version of an OCI runtime leaves open. */
interface KnownEscape {
  readonly cve: string;
  readonly runtime: OciRuntimeProgram["kind"];
  /** First version without it, of each line of releases that got one; lines before the first of these all have it. */
  readonly fixed: readonly string[];
  /** Versions before this one do not have it yet. */
  readonly since?: string;
}

/**
 * Advisories of opencontainers/runc and containers/crun about what a container can do to the machine. What needs a
 * setting that bundles of ours never have is left out: CVE-2025-24965 (crun's krun handler), CVE-2022-27650 and
 * CVE-2022-29162 (inheritable capabilities), CVE-2023-28642 (a link at /proc: ours is a real directory).
 */
const knownEscapes: readonly KnownEscape[] = [
  { cve: "CVE-2019-5736", runtime: "runc", fixed: ["1.0.0-rc.7"] },
  { cve: "CVE-2019-19921", runtime: "runc", fixed: ["1.0.0-rc.10"] },
  { cve: "CVE-2021-30465", runtime: "runc", fixed: ["1.0.0-rc.95"] },
  { cve: "CVE-2024-21626", runtime: "runc", since: "1.0.0-rc.93", fixed: ["1.1.12"] },
  { cve: "CVE-2025-31133", runtime: "runc", fixed: ["1.2.8", "1.3.3", "1.4.0-rc.3"] },
  { cve: "CVE-2025-52565", runtime: "runc", since: "1.0.0-rc.3", fixed: ["1.2.8", "1.3.3", "1.4.0-rc.3"] },
  { cve: "CVE-2025-52881", runtime: "runc", fixed: ["1.2.8", "1.3.3", "1.4.0-rc.3"] },
  { cve: "CVE-2026-41579", runtime: "runc", fixed: ["1.3.6", "1.4.3"] },
  { cve: "CVE-2019-18837", runtime: "crun", fixed: ["0.10.5"] },
];

/**
 * Names of the escapes that a runtime's version has, by upstream's numbers: what a distribution has mended without a new
 * version counts as open. Undefined: the version is unknown.
 */
export function escapesOf(runtime: Pick<OciRuntimeProgram, "kind" | "version">): readonly string[] | undefined {
  const version = parse(runtime.version);
  if (version === undefined) return undefined;
  return knownEscapes
    .filter((escape) => escape.runtime === runtime.kind && hasEscape(version, escape))
    .map(({ cve }) => cve);
}

type Version = readonly [major: number, minor: number, patch: number, candidate: number];

/** A release comes after all its candidates. */
function parse(text: string): Version | undefined {
  const match = /^(\d+)\.(\d+)(?:\.(\d+))?(?:-rc\.?(\d+))?$/.exec(text);
  if (match === null) return undefined;
  const [, major, minor, patch = "0", candidate] = match;
  return [Number(major), Number(minor), Number(patch), candidate === undefined ? Infinity : Number(candidate)];
}

function hasEscape(version: Version, { since, fixed }: KnownEscape): boolean {
  if (since !== undefined && isBefore(version, parse(since))) return false;
  const fixes = fixed.flatMap((text) => {
    const parsed = parse(text);
    return parsed === undefined ? [] : [parsed];
  });
  const ofItsLine = fixes.find((fix) => fix[0] === version[0] && fix[1] === version[1]);
  return isBefore(version, ofItsLine ?? fixes.at(-1));
}

function isBefore(version: Version, other: Version | undefined): boolean {
  const index = version.findIndex((part, at) => part !== other?.[at]);
  return index >= 0 && other !== undefined && (version[index] ?? 0) < (other[index] ?? 0);
}
