import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { formatLimit, limitRows, type LimitRow, limitsPrefix } from "../../sdk/internal/limits.ts";
import { instanceReuse, reusePrefix, reuseRows } from "../../sdk/internal/reuse.ts";

/** As the README has it, without the spaces by which a formatter makes columns. */
function rowOf(name: string, { setBy, unit, initial, min, max, breach, why }: LimitRow): string {
  const inSpec = ["memoryBytes", "requestTimeoutMs", "concurrencyMax"].includes(name);
  const setting = inSpec ? `\`${setBy}\`` : `\`${limitsPrefix}${setBy}\``;
  const range = `${formatLimit(unit, min)} to ${formatLimit(unit, max)}`;
  const end = breach === undefined ? "" : `${breach.status} \`${breach.code}\``;
  const row = `| ${[setting, formatLimit(unit, initial), range, end, why].join(" | ")} |`;
  return row.replaceAll(/ {2,}/g, " ");
}

const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8")
  .split("\n")
  .map((line) => line.replaceAll(/ {2,}/g, " "));

test("the README's table of how instances are used is what holds", () => {
  const [fresh, concurrent] = [instanceReuse({}, false), instanceReuse({}, true)];
  const missing = (Object.keys(reuseRows) as (keyof typeof reuseRows)[])
    .map((name) => {
      const { setBy, unit, min, max } = reuseRows[name];
      // In an instance of 0.2 there is one, whatever is asked for.
      const of02 = name === "atOnceMax" ? "" : formatLimit(unit, fresh[name]);
      const range = `${formatLimit(unit, min)} to ${formatLimit(unit, max)}`;
      const cells = [`\`${reusePrefix}${setBy}\``, of02, formatLimit(unit, concurrent[name]), range];
      return `| ${cells.join(" | ")} |`.replaceAll(/ {2,}/g, " ");
    })
    .filter((row) => !readme.some((line) => line.startsWith(row)));
  expect(missing).toEqual([]);
});

test("the README's table of limits is the one that is enforced", () => {
  const missing = Object.entries(limitRows)
    .map(([name, row]) => rowOf(name, row))
    .filter((row) => !readme.includes(row));
  expect(missing.join("\n")).toBe("");
});
