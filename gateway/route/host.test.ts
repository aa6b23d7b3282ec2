import * as fc from "fast-check";
import { expect, test } from "vitest";
import { normalizeHost } from "./host.ts";

const cases: { authority: string; host: string | undefined }[] = [
  { authority: "hello.default.localhost", host: "hello.default.localhost" },
  { authority: "hello.default.localhost:8080", host: "hello.default.localhost" },
  { authority: "HELLO.Default.localhost.", host: "hello.default.localhost" },
  { authority: "hello.default.localhost.:80", host: "hello.default.localhost" },
  { authority: "localhost", host: "localhost" },
  { authority: "127.0.0.1:8080", host: "127.0.0.1" },
  { authority: "[::1]:8080", host: "[::1]:8080" },
  { authority: "xn--bcher-kva.default.localhost", host: "xn--bcher-kva.default.localhost" },
  { authority: "", host: undefined },
  { authority: ".", host: undefined },
  { authority: "hello..localhost", host: undefined },
  { authority: "hello.default.localhost..", host: undefined },
  { authority: "-hello.default.localhost", host: undefined },
  { authority: "hello-.default.localhost", host: undefined },
  { authority: "hello_x.default.localhost", host: undefined },
  { authority: "hello.default.localhost:", host: undefined },
  { authority: "hello.default.localhost:808080", host: undefined },
  { authority: "hello.default.localhost:80a", host: undefined },
  { authority: "user@hello.default.localhost", host: undefined },
  { authority: "hello.default.localhost/x", host: undefined },
  { authority: "hello.default.localhost,other.default.localhost", host: undefined },
  { authority: "hello.default.localhost other", host: undefined },
  { authority: "hello%2edefault.localhost", host: undefined },
  { authority: "bücher.default.localhost", host: undefined },
  { authority: "a".repeat(261), host: undefined },
];
test.each(cases)("normalizeHost($authority) = $host", ({ authority, host }) => {
  expect(normalizeHost(authority)).toBe(host);
});

test("what comes out goes in again unchanged, whatever the text", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.domain()), (text) => {
      const once = normalizeHost(text);
      if (once !== undefined) expect(normalizeHost(once)).toBe(once);
    }),
  );
});

test("a hostile text is refused as fast as any", () => {
  const text = `${"a-".repeat(129)}!`;
  const startedMs = performance.now();
  for (let round = 0; round < 1000; round++) expect(normalizeHost(text)).toBeUndefined();
  expect(performance.now() - startedMs).toBeLessThan(1000);
});
