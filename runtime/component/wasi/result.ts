/** `result<T, E>` as the bindings take it. Returning an error costs nothing; throwing one would make a stack trace. */
export type Result<Value, Failure> =
  | { readonly tag: "ok"; readonly val: Value }
  | { readonly tag: "err"; readonly val: Failure };

export const ok = <Value>(val: Value): Result<Value, never> => ({ tag: "ok", val });
export const err = <Failure>(val: Failure): Result<never, Failure> => ({ tag: "err", val });
/** `result<_, E>` that went well. */
export const done: Result<undefined, never> = { tag: "ok", val: undefined };
/** `result` that went wrong and has nothing to say. */
export const failed: Result<never, undefined> = { tag: "err", val: undefined };
