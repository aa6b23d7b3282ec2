import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { wasiInterfaces } from "../interfaces.ts";
import { loweredSource } from "./lowered-source.fixture.ts";
import { resourceClasses } from "./resource-classes.fixture.ts";

const packages = ["cli", "clocks", "filesystem", "http", "io", "random", "sockets"];

test.each(packages)(
  "the core functions of wasi:%s are what WASI's types say (vitest -u writes the file)",
  async (name) => {
    const source = loweredSource(wasiInterfaces("0.2"), name, resourceClasses);
    await expect(source).toMatchFileSnapshot(fileURLToPath(new URL(`${name}.generated.ts`, import.meta.url)));
  },
);
