import { Blob, File } from "./blob.ts";
import { FormData } from "./form-data.ts";
import { TextDecoder, TextEncoder } from "./text-encoding.ts";

const utf8 = (bytes: Uint8Array): string => new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);

/** Parses `multipart/form-data` (RFC 7578) and `application/x-www-form-urlencoded`. @throws TypeError */
export function formDataOf(bytes: Uint8Array, contentType: string): FormData {
  if (/^application\/x-www-form-urlencoded\s*(;|$)/i.test(contentType)) {
    const form = new FormData();
    for (const [name, value] of new URLSearchParams(new TextDecoder().decode(bytes))) form.append(name, value);
    return form;
  }
  const boundary = /^multipart\/form-data\s*;(?:.*;)?\s*boundary=(?:"([^"]+)"|([^;\s]+))/i.exec(contentType);
  const mark = boundary?.[1] ?? boundary?.[2];
  if (mark === undefined) throw new TypeError(`formData() cannot read a body of type ${JSON.stringify(contentType)}`);
  return multipart(bytes, new TextEncoder().encode(`\r\n--${mark}`));
}

const carriageReturn = 13;
const dash = 45;

/** `delimiter` is a line break, two dashes and the boundary; before the first part the line break may be missing. */
function multipart(bytes: Uint8Array, delimiter: Uint8Array): FormData {
  const form = new FormData();
  // What is before the first delimiter is a preamble that nobody reads (RFC 2046, 5.1.1).
  const first = startsWith(bytes, 0, delimiter.subarray(2)) ? -2 : find(bytes, delimiter, 0);
  if (first === -1) throw new TypeError("the multipart body has no part");
  let at = first + delimiter.length;
  while (bytes[at] !== dash || bytes[at + 1] !== dash) {
    const end = find(bytes, delimiter, at);
    if (end === -1) throw new TypeError("the multipart body has no end");
    appendPart(form, bytes.subarray(at, end));
    at = end + delimiter.length;
  }
  return form;
}

/** Where `sought`, which begins with a carriage return, is in `bytes`; -1 if nowhere. The engine's indexOf is fast. */
function find(bytes: Uint8Array, sought: Uint8Array, from: number): number {
  let at = bytes.indexOf(carriageReturn, from);
  while (at !== -1 && !startsWith(bytes, at, sought)) at = bytes.indexOf(carriageReturn, at + 1);
  return at;
}

function startsWith(bytes: Uint8Array, at: number, sought: Uint8Array): boolean {
  for (let index = 0; index < sought.length; index++) if (bytes[at + index] !== sought[index]) return false;
  return true;
}

const emptyLine = new TextEncoder().encode("\r\n\r\n");

function appendPart(form: FormData, part: Uint8Array): void {
  const split = find(part, emptyLine, 0);
  if (split === -1) throw new TypeError("a part of the multipart body has no headers");
  const head = utf8(part.subarray(0, split));
  const name = /;\s*name="([^"]*)"/i.exec(head)?.[1];
  if (name === undefined) throw new TypeError("a part of the multipart body has no name");
  const filename = /;\s*filename="([^"]*)"/i.exec(head)?.[1];
  const content = part.subarray(split + emptyLine.length);
  if (filename === undefined) return form.append(plainName(name), utf8(content));
  const type = /^content-type:\s*(.+)$/im.exec(head)?.[1]?.trim() ?? "text/plain";
  form.append(plainName(name), new File([content], plainName(filename), { type }));
}

// HTML, "multipart form data": these three characters, and no others, are escaped in names.
const escapes: readonly (readonly [string, string])[] = [
  ["\n", "%0A"],
  ["\r", "%0D"],
  ['"', "%22"],
];
const escapedName = (name: string): string =>
  escapes.reduce((text, [plain, escaped]) => text.replaceAll(plain, escaped), name);
const plainName = (name: string): string =>
  escapes.reduce((text, [plain, escaped]) => text.replaceAll(escaped, plain), name);

/** The standard has line breaks of names and text values be CRLF. */
const lineBreaks = (text: string): string => text.replace(/\r\n|\r|\n/g, "\r\n");

/** The bytes of a form as `multipart/form-data`, and the content type that names its boundary. */
export function multipartOf(form: FormData): [Uint8Array, string] {
  const boundary = `----shallop${Math.floor(Math.random() * 2 ** 48).toString(36)}`;
  const parts: (string | Blob)[] = [];
  for (const [name, value] of form) {
    const disposition = `--${boundary}\r\nContent-Disposition: form-data; name="${escapedName(lineBreaks(name))}"`;
    if (typeof value === "string") parts.push(`${disposition}\r\n\r\n${lineBreaks(value)}\r\n`);
    else {
      const type = value.type === "" ? "application/octet-stream" : value.type;
      const head = `${disposition}; filename="${escapedName(value.name)}"\r\nContent-Type: ${type}\r\n\r\n`;
      parts.push(head, value, "\r\n");
    }
  }
  parts.push(`--${boundary}--\r\n`);
  return [new Blob(parts).takeBytes(), `multipart/form-data; boundary=${boundary}`];
}
