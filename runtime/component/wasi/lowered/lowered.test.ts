import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import type { WasiFamily } from "../../requirements.ts";
import { wasiInterfaces } from "../interfaces.ts";
import { loweredSource } from "./lowered-source.fixture.ts";
import { resourceClasses } from "./resource-classes.fixture.ts";

const files: readonly (readonly [family: WasiFamily, packageName: string, file: string, exportName: string])[] = [
  ...["cli", "clocks", "filesystem", "http", "io", "random", "sockets"].map(
    (name) => ["0.2", name, name, `${name}Functions`] as const,
  ),
  ...["cli", "clocks", "filesystem", "http", "random", "sockets"].map(
    (name) => ["0.3", name, `${name}-0.3`, `${name}Functions03`] as const,
  ),
];

test.each(files)(
  "the core functions of WASI %s, %s, are what its types say (vitest -u writes the file)",
  async (family, packageName, file, exportName) => {
    const [interfaces, classes] = [wasiInterfaces(family), resourceClasses[family]];
    const source = loweredSource({ interfaces, packageName, exportName, classes });
    await expect(source).toMatchFileSnapshot(fileURLToPath(new URL(`${file}.generated.ts`, import.meta.url)));
  },
);
