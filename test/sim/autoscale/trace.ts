/** One function of a trace, in the words of the Azure Functions traces: a count for each minute. */
export interface TracedFunction {
  readonly name: string;
  /** How long a request takes. */
  readonly durationMs: number;
  readonly memoryMib: number;
  /** Requests of each minute. */
  readonly counts: readonly number[];
}

export interface Trace {
  readonly name: string;
  readonly functions: readonly TracedFunction[];
}
