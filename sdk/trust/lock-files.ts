import { distinct, type Package, packagesMax } from "./packages.ts";

/**
 * The modules that a `go.mod` requires, indirect ones too, which it lists since Go 1.17; without those that are replaced by a directory.
 * @returns sorted, each once
 */
export function goPackages(mod: string): readonly Package[] {
  const lines = mod
    .replaceAll(/^(?:exclude|retract)\s*\([^)]*\)/gm, "")
    .split("\n")
    .map((line) => line.replace(/\/\/.*$/, "").trim());
  const replaced = new Set(
    lines.flatMap((line) => /^(?:replace\s+)?(\S+)(?:\s+v\S+)?\s+=>\s+\.{0,2}\//.exec(line)?.[1] ?? []),
  );
  const found = lines.slice(0, packagesMax).flatMap((line) => {
    const [, name = "", version = ""] = /^(?:require\s+)?([^\s()]+\/?[^\s()]*)\s+(v\d[^\s()]*)$/.exec(line) ?? [];
    if (name === "" || name === "exclude" || line.startsWith("exclude ") || replaced.has(name)) return [];
    return [{ name, version, purl: `pkg:golang/${name.toLowerCase()}@${encodeURIComponent(version)}` }];
  });
  return distinct(found);
}

/** The crates of a `Cargo.lock` that come from elsewhere than the project. Sorted, each once. */
export function cargoPackages(lock: string): readonly Package[] {
  const found = lock
    .split(/^\[\[package\]\]$/m)
    .slice(1, packagesMax)
    .flatMap((block) => {
      const field = (name: string): string | undefined => new RegExp(`^${name} = "([^"]+)"$`, "m").exec(block)?.[1];
      const [name, version] = [field("name"), field("version")];
      if (name === undefined || version === undefined || field("source") === undefined) return [];
      return [{ name, version, purl: `pkg:cargo/${name}@${encodeURIComponent(version)}` }];
    });
  return distinct(found);
}

const pinned = /^([A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*==\s*([\w.!+-]+)\s*(?:;.*)?$/;

/**
 * The packages of a `requirements.txt` that names each with its version (PEP 440, `==`). Sorted, each once.
 * @returns undefined when it leaves some version to be chosen
 */
export function pythonPackages(requirements: string): readonly Package[] | undefined {
  const lines = requirements
    .split("\n")
    .map((line) =>
      line
        .replace(/(^|\s)#.*$/, "")
        .replace(/\\\s*$/, "")
        .trim(),
    )
    .filter((line) => line !== "" && !line.startsWith("--hash="));
  const found: Package[] = [];
  for (const line of lines.slice(0, packagesMax)) {
    const [, given, version] = pinned.exec(line) ?? [];
    if (given === undefined || version === undefined) return undefined;
    // PEP 503: as indexes name it.
    const name = given.toLowerCase().replaceAll(/[-_.]+/g, "-");
    found.push({ name, version, purl: `pkg:pypi/${name}@${encodeURIComponent(version)}` });
  }
  return distinct(found);
}
