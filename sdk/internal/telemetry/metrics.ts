/** What is measured. Names and units are OpenTelemetry's: `http.server.request.duration`, `s`; `{request}` counts. */
export interface Instrument {
  readonly name: string;
  readonly description: string;
  /** UCUM: `s`, `By`, `1`, or what is counted in braces. */
  readonly unit: string;
}

export type LabelValue = string | number;
export type Labels = Readonly<Record<string, LabelValue>>;

/** A value that only grows (`counter`), goes up and down (`upDown`, sums are meaningful), or is as it is (`gauge`). */
export type NumberKind = "counter" | "upDown" | "gauge";

export interface NumberPoint {
  readonly labels: Labels;
  readonly value: number;
}

export interface HistogramPoint {
  readonly labels: Labels;
  /** How many values were at most `bounds[i]` and above the bound before; one more for those above all. */
  readonly counts: readonly number[];
  readonly sum: number;
  readonly count: number;
}

/** All series of an instrument at a moment. */
export type MetricFamily = Instrument &
  (
    | { readonly kind: NumberKind; readonly points: readonly NumberPoint[] }
    | { readonly kind: "histogram"; readonly bounds: readonly number[]; readonly points: readonly HistogramPoint[] }
  );

/** A sum of its own: whoever counts keeps it, so that counting is one addition. */
export class Counter {
  readonly labels: Labels;
  value = 0;

  constructor(labels: Labels) {
    this.labels = labels;
  }

  add(amount = 1): void {
    this.value += amount;
  }
}

/** Values in buckets with given bounds. */
export class Buckets {
  readonly labels: Labels;
  readonly #bounds: readonly number[];
  readonly #counts: Float64Array;
  #sum = 0;
  #count = 0;

  constructor(labels: Labels, bounds: readonly number[]) {
    this.labels = labels;
    this.#bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  record(value: number): void {
    let index = 0;
    while (index < this.#bounds.length && value > (this.#bounds[index] ?? 0)) index++;
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    this.#sum += value;
    this.#count++;
  }

  point(): HistogramPoint {
    return { labels: this.labels, counts: [...this.#counts], sum: this.#sum, count: this.#count };
  }
}

/** Series of one instrument, at most `seriesMax` of them: what is one too many is counted with the others in `other`. */
export class Family<Series extends { readonly labels: Labels }> {
  readonly #seriesByKey = new Map<string, Series>();
  readonly #names: readonly string[];
  readonly #seriesMax: number;
  readonly #make: (labels: Labels) => Series;
  #other: Series | undefined;

  constructor(names: readonly string[], seriesMax: number, make: (labels: Labels) => Series) {
    this.#names = names;
    this.#seriesMax = seriesMax;
    this.#make = make;
  }

  /** The series with these values of the labels, in the order of their names. To be kept, where it is used often. */
  of(...values: readonly LabelValue[]): Series {
    const key = values.join("\u0000");
    const known = this.#seriesByKey.get(key);
    if (known !== undefined) return known;
    if (this.#seriesByKey.size >= this.#seriesMax) {
      this.#other ??= this.#make(Object.fromEntries(this.#names.map((name) => [name, "other"])));
      return this.#other;
    }
    const series = this.#make(Object.fromEntries(this.#names.map((name, index) => [name, values[index] ?? ""])));
    this.#seriesByKey.set(key, series);
    return series;
  }

  /** What it was about is gone. */
  forget(matches: (labels: Labels) => boolean): void {
    for (const [key, { labels }] of this.#seriesByKey) if (matches(labels)) this.#seriesByKey.delete(key);
  }

  all(): readonly Series[] {
    const all = [...this.#seriesByKey.values()];
    return this.#other === undefined ? all : [...all, this.#other];
  }
}

export interface FamilyOptions extends Instrument {
  /** Names of the labels. */
  readonly labels: readonly string[];
  readonly seriesMax?: number;
}

/** A thousand revisions with two answers each; at 200 bytes a series, half a megabyte. */
const seriesMaxDefault = 2_000;
/** Points of what is only read when somebody asks. */
const observedMax = 10_000;

/**
 * What one process measures. Nothing is done with the numbers until somebody asks for them: a scrape, or an export.
 */
export class Metrics {
  readonly #collectors: (() => MetricFamily | Promise<MetricFamily>)[] = [];

  counter({ labels, seriesMax = seriesMaxDefault, ...instrument }: FamilyOptions): Family<Counter> {
    const family = new Family(labels, seriesMax, (values) => new Counter(values));
    this.#collectors.push(() => ({
      ...instrument,
      kind: "counter",
      points: family.all().map((series) => ({ labels: series.labels, value: series.value })),
    }));
    return family;
  }

  /** `bounds`: ascending, in the instrument's unit. */
  histogram(
    { labels, seriesMax = seriesMaxDefault, ...instrument }: FamilyOptions,
    bounds: readonly number[],
  ): Family<Buckets> {
    const family = new Family(labels, seriesMax, (values) => new Buckets(values, bounds));
    this.#collectors.push(() => ({
      ...instrument,
      kind: "histogram",
      bounds,
      points: family.all().map((series) => series.point()),
    }));
    return family;
  }

  /** What is known elsewhere: `read` is called when somebody asks. What it says beyond a bound is left out. */
  observe(
    { kind, ...instrument }: Instrument & { readonly kind: NumberKind },
    read: () => Iterable<NumberPoint> | Promise<Iterable<NumberPoint>>,
  ): void {
    this.#collectors.push(async () => ({
      ...instrument,
      kind,
      points: [...(await read())].slice(0, observedMax),
    }));
  }

  collect(): Promise<readonly MetricFamily[]> {
    return Promise.all(this.#collectors.map(async (collect) => collect()));
  }
}

/** Of durations of requests in seconds, as OpenTelemetry's conventions advise; and below them, for what a fork takes. */
export const durationBounds: readonly number[] = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
];
