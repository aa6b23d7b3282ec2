import { randomInt } from "node:crypto";
import { seededRandom } from "../../sdk/internal/testing/index.ts";
import { fuzzHttp } from "./http.fuzz.ts";
import { fuzzImages } from "./images.fuzz.ts";

// `npm run fuzz [-- ROUNDS [SEED]]`: mutations without end, or so many rounds; the seed that is printed repeats a round.

const rounds = Number(process.argv[2] ?? Infinity);
let seed = Number(process.argv[3] ?? randomInt(2 ** 31));
for (let round = 0; round < rounds; round++, seed++) {
  try {
    const images = await fuzzImages(seededRandom(seed), 5_000);
    const http = fuzzHttp(seededRandom(seed), 20_000);
    console.log(
      `seed ${seed}: ${images.accepted} of images and ${http.accepted} of HTTP understood, the others refused`,
    );
  } catch (error) {
    console.error(`seed ${seed}`, error);
    process.exit(1);
  }
}
