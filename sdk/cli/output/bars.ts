import { bytes } from "./table.ts";

/** How far one blob of a transfer is. */
export interface Bar {
  /** `sha256:1f2e3d…`. */
  readonly digest: string;
  readonly bytes: number;
  readonly total: number;
}

/** Lines of blobs that are shown; the others are in the sum. */
const barsMax = 8;
const barWidthMax = 40;
/** What a line has beside its bar: name, sizes, rate, time to go. */
const textWidth = 66;
const eighths = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/**
 * A bar for each blob that is on its way, and one for all of them with rate and time to go. Pure.
 *
 * @param columns of the terminal; no line is longer
 */
export function barLines(
  what: string,
  bars: readonly Bar[],
  { columns, elapsedMs }: { readonly columns: number; readonly elapsedMs: number },
): readonly string[] {
  const width = Math.max(0, Math.min(barWidthMax, columns - textWidth));
  const moving = bars.filter((bar) => bar.bytes < bar.total).slice(0, barsMax);
  const sum = bars.reduce((all, bar) => ({ bytes: all.bytes + bar.bytes, total: all.total + bar.total }), {
    bytes: 0,
    total: 0,
  });
  const lines = moving.map((bar) => line(shortName(bar.digest), bar, { width, end: "" }));
  const last = line("total", sum, { width, end: pace(sum, elapsedMs) });
  return [what, ...lines, last].map((text) => text.slice(0, Math.max(1, columns - 1)));
}

const shortName = (digest: string): string => digest.slice(digest.indexOf(":") + 1).slice(0, 12);

function line(
  name: string,
  { bytes: done, total }: Pick<Bar, "bytes" | "total">,
  { width, end }: { readonly width: number; readonly end: string },
): string {
  const share = total === 0 ? 1 : Math.min(1, done / total);
  const percent = `${Math.floor(share * 100)}%`.padStart(4);
  return `  ${name.padEnd(12)} ${bar(share, width)} ${percent} ${bytes(done)} of ${bytes(total)}${end}`;
}

function bar(share: number, width: number): string {
  const filled = share * width;
  const whole = Math.floor(filled);
  const rest = eighths[Math.floor((filled - whole) * 8)] ?? "";
  return `${"█".repeat(whole)}${rest}`.padEnd(width, "░").slice(0, width);
}

/** `, 12.3 MB/s, 4 s to go`; nothing in the first second, when nobody can tell. */
function pace({ bytes: done, total }: Pick<Bar, "bytes" | "total">, elapsedMs: number): string {
  if (elapsedMs < 1_000 || done === 0) return "";
  const perSecond = done / (elapsedMs / 1_000);
  const seconds = Math.ceil((total - done) / perSecond);
  return `, ${bytes(perSecond)}/s${seconds > 0 ? `, ${seconds} s to go` : ""}`;
}
