export { FakeClock } from "./clock.fake.ts";
export { seededRandom } from "./random.fake.ts";
