import { expect, test } from "vitest";
import { seededRandom } from "../../sdk/internal/testing/index.ts";
import { fuzzImages } from "./images.fuzz.ts";

// The same mutations each time; `npm run fuzz` tries others, and more.
test("parsers of images refuse what they do not understand, and only so", async () => {
  const { accepted } = await fuzzImages(seededRandom(1), 1_500);
  // Mutations that change nothing of meaning are understood still: it is not all refused at the door.
  expect(accepted).toBeGreaterThan(300);
});
