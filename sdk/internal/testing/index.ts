export { FakeClock } from "./clock.fake.ts";
export { keptBuildCache, keptCaches } from "./kept-caches.ts";
export { seededRandom } from "./random.fake.ts";
