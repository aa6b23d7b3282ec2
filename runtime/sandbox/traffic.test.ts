import { expect, test } from "vitest";
import { hasConnection } from "./traffic.ts";

const header =
  "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode                                                     ";
const line = (local: string, state: string): string =>
  `   0: ${local} 0101580A:9C40 ${state} 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0000000000000000 100 0 0 10 0`;

test("a connection to the port counts, and neither who listens, nor who has closed, nor another port", () => {
  expect(hasConnection([header, line("0201580A:1F90", "01"), ""].join("\n"), 8080)).toBe(true);
  expect(hasConnection([header, line("0000000000000000FFFF00000201580A:1F90", "01")].join("\n"), 8080)).toBe(true);
  const others = [
    line("00000000:1F90", "0A"),
    line("0201580A:1F90", "08"),
    line("0201580A:1F90", "06"),
    line("0201580A:11F9", "01"),
  ];
  expect(hasConnection([header, ...others, ""].join("\n"), 8080)).toBe(false);
  expect(hasConnection("", 8080)).toBe(false);
  expect(hasConnection([header, line("0201580A:0050", "01")].join("\n"), 80)).toBe(true);
});
