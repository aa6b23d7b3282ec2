import type { ApiObject } from "./meta.ts";

/**
 * shallop.dev/v1 ImagePolicy: which images may run. All policies that an image falls under must be content with it; an
 * image that falls under none may run.
 */
export interface ImagePolicy extends ApiObject {
  readonly kind: "ImagePolicy";
  readonly spec: {
    /** Patterns of `registry/repository`: `*` is anything without a slash, `**` anything. */
    readonly images: readonly string[];
    /** Patterns of namespaces; all unless given. */
    readonly namespaces?: readonly string[];
    /** Nothing that falls under the policy may run. */
    readonly deny?: boolean;
    /** The only registries that the images may come from: patterns of `host[:port]`. */
    readonly registries?: readonly string[];
    /** Whoever deploys must name the image by its digest. */
    readonly digestRequired?: boolean;
    /** Only the Wasm variant may run. */
    readonly wasmOnly?: boolean;
    /** One of them must have signed the image. */
    readonly keys?: readonly { readonly name?: string; /** PEM. */ readonly key: string }[];
    /** A revision that asks for more than the running one waits until somebody approves. */
    readonly approveCapabilities?: boolean;
    /** What whoever is refused is told besides. */
    readonly message?: string;
  };
}
