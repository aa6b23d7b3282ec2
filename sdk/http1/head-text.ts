import { STATUS_CODES } from "node:http";
import { token } from "./fields.ts";

const namePattern = new RegExp(`^${token}+$`);
// RFC 9110, 5.5: visible characters, space, tab, and what is above ASCII; never a line break or a zero.
const valuePattern = /^[\t\x20-\x7e\x80-\xff]*$/;

// Of names that were looked at, so many: a server sends the same few again and again.
const knownNamesMax = 256;
const knownNames = new Set<string>();

/** Whether it can be sent as one field, and be read as that only. */
export const isField = (name: string, value: string): boolean => isName(name) && valuePattern.test(value);

function isName(name: string): boolean {
  if (knownNames.has(name)) return true;
  if (!namePattern.test(name)) return false;
  if (knownNames.size < knownNamesMax) knownNames.add(name);
  return true;
}

export const fieldLine = (name: string, value: string): string => `${name}: ${value}\r\n`;

/** `flat`: what of it cannot be sent is left out. */
export function fieldLines(flat: readonly string[]): string {
  let lines = "";
  for (let index = 0; index + 1 < flat.length; index += 2) {
    const name = flat[index] ?? "";
    const value = flat[index + 1] ?? "";
    if (isField(name, value)) lines += fieldLine(name, value);
  }
  return lines;
}

const statusLines = new Map<number, string>();

/** `status`: one that HTTP has. */
export function statusLine(status: number): string {
  let line = statusLines.get(status);
  if (line === undefined) {
    line = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n`;
    statusLines.set(status, line);
  }
  return line;
}
