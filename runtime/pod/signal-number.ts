import { constants } from "node:os";

const signalMax = 64;

/** `SIGTERM`, `term` or `15` as a number; undefined when it is no signal. */
export function signalByName(text: string): number | undefined {
  const upper = text.toUpperCase();
  const name = upper.startsWith("SIG") ? upper : `SIG${upper}`;
  const named = (constants.signals as Readonly<Record<string, number>>)[name];
  const number = named ?? realTimeSignal(name) ?? Number(text);
  return Number.isInteger(number) && number > 0 && number <= signalMax ? number : undefined;
}

/** signal(7): SIGRTMIN is 34 for programs of glibc, SIGRTMAX 64. */
function realTimeSignal(name: string): number | undefined {
  const [, end, sign, offset = "0"] = /^SIGRT(MIN|MAX)(?:([+-])(\d{1,2}))?$/.exec(name) ?? [];
  if (end === undefined) return undefined;
  return end === "MIN" ? 34 + Number(offset) : signalMax - (sign === "-" ? Number(offset) : 0);
}
