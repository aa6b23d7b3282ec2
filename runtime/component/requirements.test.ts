import { describe, expect, test } from "vitest";
import { checkRequirements } from "./requirements.ts";

const handler = "wasi:http/incoming-handler@0.2.0";

describe("checkRequirements", () => {
  test.each([
    { imported: "wasi:http/types@0.2.0", isMet: true },
    { imported: "wasi:http/types@0.2.12", isMet: true },
    { imported: "wasi:http/types@0.2.13", isMet: true },
    { imported: "wasi:http/types", isMet: false },
    { imported: "wasi:http/types@0.3.0", isMet: true },
    { imported: "wasi:http/types@0.3.0-rc-2026-03-15", isMet: true },
    { imported: "wasi:http/types@0.3.0-rc-2026-02-09", isMet: false },
    { imported: "wasi:http/types@0.3.0-draft", isMet: false },
    { imported: "wasi:http/types@0.3.2", isMet: true },
    { imported: "wasi:http/types@0.4.0", isMet: false },
    { imported: "wasi:http/client@0.3.0", isMet: true },
    { imported: "wasi:http/client@0.2.0", isMet: false },
    { imported: "wasi:http/handler@0.3.0", isMet: false },
    { imported: "wasi:http/outgoing-handler@0.3.0", isMet: false },
    { imported: "wasi:io/streams@0.3.0", isMet: false },
    { imported: "wasi:clocks/system-clock@0.3.0", isMet: true },
    { imported: "wasi:clocks/wall-clock@0.3.0", isMet: false },
    { imported: "wasi:sockets/types@0.3.0", isMet: true },
    { imported: "wasi:sockets/tcp@0.3.0", isMet: false },
    { imported: "wasi:sockets/tcp@0.2.3", isMet: true },
    { imported: "wasi:sql/readwrite@0.2.0", isMet: false },
    { imported: "acme:db/query@1.0.0", isMet: false },
    { imported: "run", isMet: false },
  ])("$imported: met is $isMet", ({ imported, isMet }) => {
    const { unmet } = checkRequirements({ imports: ["wasi:io/poll@0.2.1", imported], exports: [handler] });
    expect(unmet).toEqual(isMet ? [] : [imported]);
  });

  test.each([
    { exports: ["init", "wasi:http/incoming-handler@0.2.7"], version: "0.2.7" },
    { exports: ["wasi:cli/run@0.2.0"], version: undefined },
    { exports: ["wasi:http/handler@0.3.0"], version: "0.3.0" },
    { exports: ["wasi:http/handler@0.3.0-rc-2026-03-15"], version: "0.3.0-rc-2026-03-15" },
    { exports: ["wasi:http/incoming-handler@0.2.7", "wasi:http/handler@0.3.0"], version: "0.3.0" },
    { exports: ["wasi:http/handler@0.2.0"], version: undefined },
    { exports: ["wasi:http/incoming-handler@0.3.0"], version: undefined },
    { exports: [], version: undefined },
  ])("exports $exports: WASI $version", ({ exports, version }) => {
    expect(checkRequirements({ imports: [], exports }).wasiVersion).toBe(version);
  });

  test("what a command exports is no handler, and the other way round", () => {
    const exports = ["wasi:cli/run@0.2.4", handler];
    expect(checkRequirements({ imports: [], exports }, "run").entry).toBe("wasi:cli/run@0.2.4");
    expect(checkRequirements({ imports: [], exports }, "serve").entry).toBe(handler);
    expect(checkRequirements({ imports: [], exports: [handler] }, "run").entry).toBeUndefined();
    expect(checkRequirements({ imports: [], exports: ["wasi:cli/run@0.3.0"] }, "run").entry).toBe("wasi:cli/run@0.3.0");
  });
});
