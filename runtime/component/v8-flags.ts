import { guestV8Flags } from "@shallop/sdk/internal";

/** Names what a code cache of V8 depends on. */
export const engineIdentity = `v8 ${process.versions.v8} ${process.arch} ${guestV8Flags.join(" ")}`;
