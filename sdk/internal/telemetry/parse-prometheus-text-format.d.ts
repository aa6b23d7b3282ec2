declare module "parse-prometheus-text-format" {
  interface ParsedFamily {
    readonly name: string;
    readonly type: string;
    readonly metrics: readonly Readonly<Record<string, unknown>>[];
  }
  const parse: (text: string) => readonly ParsedFamily[];
  export default parse;
}
