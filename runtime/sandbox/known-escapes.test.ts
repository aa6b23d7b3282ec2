import { expect, test } from "vitest";
import { escapesOf } from "./known-escapes.ts";
import { parseVersion } from "./oci-runtime-program.ts";

const nov2025 = ["CVE-2025-31133", "CVE-2025-52565", "CVE-2025-52881"];
const open2026 = ["CVE-2026-41579"];

const versions: { kind: "runc" | "crun"; version: string; escapes: readonly string[] | undefined }[] = [
  { kind: "runc", version: "1.0.0-rc.92", escapes: ["CVE-2021-30465", ...nov2025, ...open2026] },
  { kind: "runc", version: "1.0.0-rc.95", escapes: ["CVE-2024-21626", ...nov2025, ...open2026] },
  { kind: "runc", version: "1.1.5", escapes: ["CVE-2024-21626", ...nov2025, ...open2026] },
  { kind: "runc", version: "1.1.15", escapes: [...nov2025, ...open2026] },
  { kind: "runc", version: "1.2.7", escapes: [...nov2025, ...open2026] },
  { kind: "runc", version: "1.2.8", escapes: open2026 },
  { kind: "runc", version: "1.3.2", escapes: [...nov2025, ...open2026] },
  { kind: "runc", version: "1.3.5", escapes: open2026 },
  { kind: "runc", version: "1.3.6", escapes: [] },
  { kind: "runc", version: "1.4.0-rc.2", escapes: [...nov2025, ...open2026] },
  { kind: "runc", version: "1.4.0-rc.3", escapes: open2026 },
  { kind: "runc", version: "1.4.3", escapes: [] },
  { kind: "runc", version: "1.5.0-rc.1", escapes: [] },
  { kind: "runc", version: "2.0.0", escapes: [] },
  { kind: "runc", version: "unknown", escapes: undefined },
  { kind: "crun", version: "0.10.4", escapes: ["CVE-2019-18837"] },
  { kind: "crun", version: "1.8.1", escapes: [] },
  { kind: "crun", version: "1.21", escapes: [] },
];
test.each(versions)("$kind $version leaves open $escapes", ({ kind, version, escapes }) => {
  expect(escapesOf({ kind, version })).toEqual(escapes);
});

test("versions are read as Debian and upstream print them", () => {
  expect(parseVersion("runc version 1.1.5+ds1\ncommit: 1.1.5+ds1-1+deb12u1\n")).toBe("1.1.5");
  expect(parseVersion("runc version 1.4.0-rc.3\n")).toBe("1.4.0-rc.3");
  expect(parseVersion("crun version 1.21\ncommit: 10269840aa07fb7e6b7e1acff6198692d8ff5c88\n")).toBe("1.21");
  expect(parseVersion("nonsense")).toBe("unknown");
});
