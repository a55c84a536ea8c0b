// Numbers and names as a reader wants them.

const MINUS = "\u2212";

/** Three significant digits, a real minus, infinities and NaN by name. */
export function number(value: number): string {
  if (Number.isNaN(value)) return "not a number";
  if (!Number.isFinite(value)) return value > 0 ? "+\u221e" : `${MINUS}\u221e`;
  if (value === 0) return "0";
  const size = Math.abs(value);
  const plain = size >= 0.001 && size < 100000;
  const digits = size >= 100 ? size.toFixed(0) : plain ? size.toPrecision(3) : size.toExponential(1);
  return (value < 0 ? MINUS : "") + digits.replace("e-", `e${MINUS}`).replace("e+", "e");
}

export function signed(value: number): string {
  return value > 0 && Number.isFinite(value) ? `+${number(value)}` : number(value);
}

/** A share 0..1 in per cent; never rounds something down to nothing. */
export function percent(share: number | null): string {
  if (share === null || Number.isNaN(share)) return "none";
  const p = share * 100;
  if (p > 0 && p < 0.05) return "< 0.1\u202f%";
  if (p < 100 && p >= 99.95) return "> 99.9\u202f%";
  const whole = p >= 9.95 && (p < 99.5 || p === 100);
  return `${whole ? p.toFixed(0) : p.toFixed(1)}\u202f%`;
}

export function quoted(name: string): string {
  return `\u201c${name}\u201d`;
}

/** Where a point lies in the picture, in words. */
export function place(row: number, col: number, rows: number, cols: number): string {
  const v = row < rows / 3 ? "upper" : row < (2 * rows) / 3 ? "middle" : "lower";
  const h = col < cols / 3 ? "left" : col < (2 * cols) / 3 ? "middle" : "right";
  if (v === "middle" && h === "middle") return "centre";
  return `${v} ${h === "middle" ? "centre" : h}`;
}
