/**
 * An error that a caller may act on. `code` is the contract and comes from a closed list that each area declares;
 * `message` is for people: what was being done, to what, and what to do next. Faults know no HTTP: the API and the
 * gateway map code → status in one table each.
 */
export abstract class Fault<Code extends string = string> extends Error {
  readonly code: Code;
  /** Safe to try again unchanged, after a pause. */
  readonly retryable: boolean;

  constructor(code: Code, message: string, options: ErrorOptions & { readonly retryable?: boolean } = {}) {
    super(message, options);
    this.name = `${new.target.name} [${code}]`;
    this.code = code;
    this.retryable = options.retryable ?? false;
  }
}

/** The text of anything thrown: the message, and those of its causes that say something new, outermost first. */
export function describeError(error: unknown): string {
  const parts: string[] = [];
  let current: unknown = error;
  // Causes can be cyclic; ten levels say enough.
  for (let depth = 0; depth < 10 && current !== undefined && current !== null; depth++) {
    const text = current instanceof Error ? current.message : JSON.stringify(current);
    if (!parts.some((part) => part.includes(text))) parts.push(text);
    current = current instanceof Error ? current.cause : undefined;
  }
  return parts.join(": ");
}

/** The `code` of a Fault or of a Node system error (`ENOENT`), or undefined. */
export function errorCode(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}
