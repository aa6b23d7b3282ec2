/** Rows as columns that line up, the last one as long as it is. Nothing is cut: people pipe this. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...lines.map((line) => visibleLength(line[column] ?? ""))));
  return lines
    .map((line) =>
      line
        .map((cell, column) =>
          column === line.length - 1 ? cell : cell + " ".repeat((widths[column] ?? 0) - visibleLength(cell)),
        )
        .join("   ")
        .trimEnd(),
    )
    .join("\n");
}

// oxlint-disable-next-line no-control-regex -- the escape sequences of colours take no room on a terminal
const visibleLength = (text: string): number => text.replace(/\u001b\[\d+m/g, "").length;

/** `-` for what is not there, as kubectl's `<none>`. */
export const orDash = (text: string | number | undefined): string =>
  text === undefined || text === "" ? "-" : String(text);

/** Seconds, minutes, hours or days, as kubectl's AGE. */
export function age(fromIso: string | undefined, wallMs: number): string {
  if (fromIso === undefined) return "-";
  return duration(wallMs - Date.parse(fromIso));
}

export function duration(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7_200) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3_600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}

/** `2.7 MB`: decimal, as registries count. */
export function bytes(count: number): string {
  if (count < 1_000) return `${count} B`;
  const units = ["kB", "MB", "GB", "TB"];
  let value = count;
  let unit = "B";
  for (const next of units) {
    if (value < 999.5) break;
    value /= 1_000;
    unit = next;
  }
  return `${value >= 100 ? Math.round(value) : value.toFixed(1)} ${unit}`;
}
