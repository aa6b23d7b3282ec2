import { DockerfileFault, type DockerfileFaultCode } from "@shallop/sdk/wire";

/** A fault of one line: its message begins with the line's number. */
export const lineFault = (line: number, message: string, code: DockerfileFaultCode = "DOCKERFILE_INVALID") =>
  new DockerfileFault(code, `line ${line}: ${message}`);

/** Text of a hostile file, as it may be shown to a person. */
export const shown = (text: string): string => JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
