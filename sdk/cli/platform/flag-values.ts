import { CliFault } from "../cli-fault.ts";

/** For the parser: the values of a flag that may be repeated. */
export const collect = (value: string, all: readonly string[] = []): readonly string[] => [...all, value];

/** @throws CliFault USAGE */
export function wholeNumber(flag: string, text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new CliFault("USAGE", `${flag} is ${JSON.stringify(text)}, which is no whole number`);
}

/** Both sides of `form`, which is written like `NAME=VALUE`. @throws CliFault USAGE */
export function pairOf(flag: string, text: string, form: string): readonly [string, string] {
  const at = text.indexOf("=");
  if (at < 1) throw new CliFault("USAGE", `${flag} is ${JSON.stringify(text)}; it is written ${form}`);
  return [text.slice(0, at), text.slice(at + 1)];
}

/** A name that would not be one in the path of a request either. @throws CliFault USAGE */
export function checkName(name: string): void {
  if (/^[a-zA-Z0-9._-]+$/.test(name)) return;
  throw new CliFault("USAGE", `${JSON.stringify(name)} is no name of a service: letters, digits and - are`);
}

/** A word of a shell's command line. */
export const shellWord = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
