export { FakeClock } from "./clock.fake.ts";
export { keptBuildCache, keptCaches } from "./kept-caches.ts";
export { seededRandom } from "./random.fake.ts";
export { OtlpCollector, type OtlpLogRecord, type OtlpSpan } from "./otlp-collector.ts";
