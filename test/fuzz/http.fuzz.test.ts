import { expect, test } from "vitest";
import { seededRandom } from "../../sdk/internal/testing/index.ts";
import { fuzzHttp } from "./http.fuzz.ts";

// The same mutations each time; `npm run fuzz` tries others, and more.
test("the HTTP parser refuses what it does not understand, and understands the same in whatever pieces", () => {
  expect(fuzzHttp(seededRandom(1), 6_000).accepted).toBeGreaterThan(500);
});
