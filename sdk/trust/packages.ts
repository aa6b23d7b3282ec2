/** A package that went into an image. */
export interface Package {
  readonly name: string;
  readonly version: string;
  /** Package URL (ECMA-427): names it for scanners. */
  readonly purl: string;
  readonly license?: string;
}

/** A lock file of the largest projects has some ten thousand packages; a distribution some thousand. */
export const packagesMax = 100_000;

interface LockJson {
  readonly packages?: Readonly<Record<string, LockEntry>>;
}

interface LockEntry {
  readonly name?: unknown;
  readonly version?: unknown;
  readonly license?: unknown;
  readonly link?: unknown;
  readonly dev?: unknown;
}

/**
 * The packages of npm's `package-lock.json` (lockfileVersion 2 and 3), without those that are for development only.
 * @returns sorted, each once; empty for what is no such file
 */
export function npmPackages(lock: string): readonly Package[] {
  let json: LockJson;
  try {
    json = JSON.parse(lock) as LockJson;
  } catch {
    return [];
  }
  const entries = Object.entries(json.packages ?? {}).slice(0, packagesMax);
  const found = entries.flatMap(([path, entry]) => {
    const at = path.lastIndexOf("node_modules/");
    if (at < 0 || entry.link === true || entry.dev === true || typeof entry.version !== "string") return [];
    const name = typeof entry.name === "string" ? entry.name : path.slice(at + "node_modules/".length);
    const encoded = name.replace(/^@/, "%40");
    const license = typeof entry.license === "string" ? { license: entry.license } : {};
    return [{ name, version: entry.version, purl: `pkg:npm/${encoded}@${entry.version}`, ...license }];
  });
  return distinct(found);
}

/** The installed packages of dpkg's `var/lib/dpkg/status`; one that says nothing of its status is in an image without dpkg. Sorted, each once. */
export function debianPackages(status: string, distribution = "debian"): readonly Package[] {
  const found = status
    .split(/\n\n+/)
    .slice(0, packagesMax)
    .flatMap((paragraph) => {
      const field = (name: string): string | undefined =>
        new RegExp(`^${name}: (.+)$`, "m").exec(paragraph)?.[1]?.trim();
      const [name, version, architecture] = ["Package", "Version", "Architecture"].map(field);
      const state = field("Status") ?? "install ok installed";
      if (name === undefined || version === undefined || state !== "install ok installed") return [];
      const purl = `pkg:deb/${distribution}/${name}@${encodeURIComponent(version)}?arch=${architecture ?? "all"}`;
      return [{ name, version, purl }];
    });
  return distinct(found);
}

/** The installed packages of apk's `lib/apk/db/installed`: a letter, a colon and a value a line. Sorted, each once. */
export function alpinePackages(installed: string, distribution = "alpine"): readonly Package[] {
  const found = installed
    .split(/\n\n+/)
    .slice(0, packagesMax)
    .flatMap((paragraph) => {
      const field = (letter: string): string | undefined =>
        new RegExp(`^${letter}:(.+)$`, "m").exec(paragraph)?.[1]?.trim();
      const [name, version, architecture, license] = ["P", "V", "A", "L"].map(field);
      if (name === undefined || version === undefined) return [];
      const purl = `pkg:apk/${distribution}/${name}@${encodeURIComponent(version)}?arch=${architecture ?? "noarch"}`;
      return [{ name, version, purl, ...(license === undefined ? {} : { license }) }];
    });
  return distinct(found);
}

/** Sorted, each once. */
export const distinct = (packages: readonly Package[]): readonly Package[] =>
  [...new Map(packages.map((one) => [one.purl, one])).values()].sort((a, b) => (a.purl < b.purl ? -1 : 1));
