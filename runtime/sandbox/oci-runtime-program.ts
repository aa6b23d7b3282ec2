/** runc or crun, where it is, and which. */
export interface OciRuntimeProgram {
  readonly kind: "runc" | "crun";
  readonly path: string;
  readonly version: string;
}

/** `1.1.5` of `runc version 1.1.5+ds1\ncommit: …`, `1.21` of crun's; `unknown` when it says none. */
export const parseVersion = (text: string): string =>
  /version (\d+\.\d+(?:\.\d+)?(?:-rc\.?\d+)?)/.exec(text)?.[1] ?? "unknown";
