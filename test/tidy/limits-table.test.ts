import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { formatLimit, limitRows, type LimitRow, limitsPrefix } from "../../sdk/internal/limits.ts";

/** As the README has it, without the spaces by which a formatter makes columns. */
function rowOf(name: string, { setBy, unit, initial, min, max, breach, why }: LimitRow): string {
  const inSpec = ["memoryBytes", "requestTimeoutMs", "concurrencyMax"].includes(name);
  const setting = inSpec ? `\`${setBy}\`` : `\`${limitsPrefix}${setBy}\``;
  const range = `${formatLimit(unit, min)} to ${formatLimit(unit, max)}`;
  const end = breach === undefined ? "" : `${breach.status} \`${breach.code}\``;
  const row = `| ${[setting, formatLimit(unit, initial), range, end, why].join(" | ")} |`;
  return row.replaceAll(/ {2,}/g, " ");
}

test("the README's table of limits is the one that is enforced", () => {
  const text = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
  const rows = text.split("\n").map((line) => line.replaceAll(/ {2,}/g, " "));
  const missing = Object.entries(limitRows)
    .map(([name, row]) => rowOf(name, row))
    .filter((row) => !rows.includes(row));
  expect(missing.join("\n")).toBe("");
});
