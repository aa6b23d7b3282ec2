import { BuildFault } from "./fault.ts";
import type { DockerfileNativeProject, NativeProject, Project } from "./project.ts";

/** A native variant of a project, for one platform. */
export type PlannedVariant =
  | Exclude<NativeProject, DockerfileNativeProject>
  | (DockerfileNativeProject & { readonly platform: string });

export interface PlannedVariants {
  readonly wasm: boolean;
  readonly native: readonly PlannedVariant[];
}

/** This machine's, as images write it. */
export const ownPlatform = (): string => `linux/${process.arch === "x64" ? "amd64" : process.arch}`;

/**
 * The variants of a project that are built: all, or those for `platforms` (`linux/arm64`, `wasm`). A Dockerfile that names
 * no platforms is for whichever is asked for.
 * @throws BuildFault PROJECT_INVALID when there is none
 */
export function plannedVariants(project: Project, platforms: readonly string[] | undefined): PlannedVariants {
  const isWanted = (platform: string): boolean => platforms?.includes(platform) ?? true;
  const native = project.native.flatMap((variant): readonly PlannedVariant[] => {
    if (variant.kind === "dockerfile") return dockerfileVariants(variant, platforms);
    return isWanted(variant.kind === "rootfs" ? variant.platform : ownPlatform()) ? [variant] : [];
  });
  const wasm = project.wasm !== undefined && (platforms?.some(isWasm) ?? true);
  if (wasm || native.length > 0) return { wasm, native };
  throw new BuildFault("PROJECT_INVALID", `nothing of ${project.name} is for ${(platforms ?? []).join(", ")}`);
}

function dockerfileVariants(
  variant: DockerfileNativeProject,
  platforms: readonly string[] | undefined,
): readonly PlannedVariant[] {
  const native = platforms?.filter((platform) => !isWasm(platform));
  const own = variant.platforms.length > 0 ? variant.platforms : (native ?? [ownPlatform()]);
  return own.filter((platform) => native?.includes(platform) ?? true).map((platform) => ({ ...variant, platform }));
}

const isWasm = (platform: string): boolean => platform === "wasm" || platform.endsWith("/wasm");
