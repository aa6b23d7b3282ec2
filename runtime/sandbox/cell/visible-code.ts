import { access, constants, realpath, stat } from "node:fs/promises";
import { dirname, join, parse } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * What a program of ours needs to be started in a cell: Node, the libraries that this very Node has loaded, and our own
 * code with the packages it imports.
 */
export async function visibleCode(): Promise<readonly string[]> {
  const report = process.report.getReport() as { readonly sharedObjects?: readonly string[] };
  const libraries = (report.sharedObjects ?? []).filter((path) => path.startsWith("/"));
  const [runtime, sdk] = await ownPackages();
  const paths = [process.execPath, runtime, sdk, ...(await packageDirectories(runtime))];
  // The directories above say what kind of modules these are.
  return [...libraries, ...paths, ...(await existing([join(dirname(runtime), "package.json")]))];
}

/** The directories of our own code that programs in cells run. */
export async function ownPackages(): Promise<readonly [runtime: string, sdk: string]> {
  const runtime = await packageDirectory(fileURLToPath(import.meta.url));
  const sdk = await packageDirectory(await realpath(fileURLToPath(import.meta.resolve("@shallop/sdk/internal"))));
  return [runtime, sdk];
}

/** Where Node looks for packages from a directory. */
function packageDirectories(from: string): Promise<readonly string[]> {
  const candidates: string[] = [];
  for (let at = from; ; at = dirname(at)) {
    candidates.push(join(at, "node_modules"));
    if (at === parse(at).root) return existing(candidates);
  }
}

async function packageDirectory(file: string): Promise<string> {
  for (let at = dirname(file); at !== parse(at).root; at = dirname(at)) {
    if ((await existing([join(at, "package.json")])).length > 0) return at;
  }
  throw new Error(`${file} is in no package`);
}

async function existing(paths: readonly string[]): Promise<readonly string[]> {
  const found = await Promise.all(
    paths.map((path) =>
      access(path).then(
        () => [path],
        () => [],
      ),
    ),
  );
  return found.flat();
}

/** Why a user who is not the owner could not run these, in a few words; undefined when he can. */
export async function unreadableByOthers(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) {
    const { mode } = await stat(path);
    const wanted = (mode & constants.S_IFMT) === constants.S_IFDIR || path === process.execPath ? 0o005 : 0o004;
    if ((mode & wanted) !== wanted) return `${path} is not readable for other users`;
  }
  return undefined;
}
