// Of wasm-tools' reason: it quotes names, and names are as long as the component likes.
const reasonCharsMax = 1000;

/** What is wrong with a component, and at which byte of it. */
export interface ComponentProblem {
  readonly problem: string;
  readonly offset: number;
}

/**
 * What `componentWit` of jco, which validates a component before it describes it, has found wrong with it.
 * @returns undefined when the component is valid, and no WIT describes it (it exports a type, for one)
 */
export function componentProblem(error: unknown): ComponentProblem | undefined {
  const message = error instanceof Error ? error.message : String(error);
  const invalid = /^(?:Failed to decode wit component\s)?(.*) \(at offset 0x([0-9a-f]+)\)/s.exec(message);
  if (invalid !== null) return { problem: oneLine(invalid[1] ?? ""), offset: Number.parseInt(invalid[2] ?? "", 16) };
  if (/^Failed to decode wit component\s/.test(message)) return undefined;
  return { problem: `wasm-tools cannot validate it (${oneLine(message)})`, offset: 0 };
}

const oneLine = (text: string): string =>
  text
    .replaceAll(/\n\s*/g, "; ")
    .replaceAll(/\s+/g, " ")
    // oxlint-disable-next-line no-control-regex -- that is what is taken out: a name could write to the reader's terminal.
    .replaceAll(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, "?")
    .slice(0, reasonCharsMax);
