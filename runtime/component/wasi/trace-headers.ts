/**
 * What a guest's outgoing request says of its trace (W3C Trace Context): what the request said that it serves, unless the
 * guest says something itself. Both lists are flat, with names in lower case.
 */
export function traceHeaders(own: readonly string[], served: readonly string[] = []): readonly string[] {
  const at = served.indexOf("traceparent");
  if (at < 0 || at % 2 !== 0 || own.some((name, index) => index % 2 === 0 && name.toLowerCase() === "traceparent"))
    return [];
  const headers: string[] = [];
  for (let index = 0; index + 1 < served.length; index += 2) {
    const name = served[index] ?? "";
    if (name === "traceparent" || name === "tracestate") headers.push(name, served[index + 1] ?? "");
  }
  return headers;
}
