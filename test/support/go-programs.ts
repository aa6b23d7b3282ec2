import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

/** Programs that come as source through Go's module proxy: their packages and versions. Ten seconds each, once. */
export const goPackages = {
  // The distribution specification's suite; it has no releases of its own.
  conformance: "github.com/opencontainers/distribution-spec/conformance@v0.0.0-20260831232431-97274622c111",
  crane: "github.com/google/go-containerregistry/cmd/crane@v0.22.1",
  oras: "oras.land/oras/cmd/oras@v1.3.6",
} as const;

export type GoProgram = keyof typeof goPackages;

/** Where a program is that `npm run setup` has built, or the machine has; undefined when it is not there. */
export function goProgram(name: GoProgram): string | undefined {
  // Another program could be called so: Go's own directory only.
  const directories = name === "conformance" ? goDirectories() : [...goDirectories(), ...pathDirectories()];
  return directories.map((directory) => join(directory, name)).find((path) => existsSync(path));
}

/** Builds what is missing. Nothing happens where there is no Go. */
export function installGoPrograms(say: (line: string) => void): void {
  const missing = (Object.keys(goPackages) as GoProgram[]).filter((name) => goProgram(name) === undefined);
  if (missing.length === 0) return;
  if (goDirectories().length === 0) {
    say(`go is not there: not tested is the registry against ${missing.join(", ")}`);
    return;
  }
  for (const name of missing) {
    say(`building ${name} from its Go source`);
    const { status, stderr } = spawnSync("go", ["install", goPackages[name]], {
      encoding: "utf8",
      env: { ...process.env, GOFLAGS: "" },
      timeout: 300_000,
    });
    if (status !== 0) say(`${name} could not be built: ${stderr.trim().slice(-300)}`);
  }
}

function goDirectories(): readonly string[] {
  const { status, stdout } = spawnSync("go", ["env", "GOBIN", "GOPATH"], { encoding: "utf8" });
  if (status !== 0) return [];
  const [bin = "", path = ""] = stdout.split("\n");
  return bin === "" ? path.split(delimiter).map((root) => join(root, "bin")) : [bin];
}

const pathDirectories = (): readonly string[] => (process.env["PATH"] ?? "").split(delimiter);
