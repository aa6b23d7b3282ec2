const suffixFactor: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  "": 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/**
 * The number a Kubernetes quantity stands for: `64Mi` → 67108864, `250m` → 0.25, `1e3` → 1000. Undefined when the text
 * is no quantity. apimachinery/pkg/api/resource, "Quantity".
 */
export function parseQuantity(quantity: string | number): number | undefined {
  if (typeof quantity === "number") return Number.isFinite(quantity) ? quantity : undefined;
  const match = /^([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?)$/.exec(quantity);
  if (match === null) return undefined;
  const [, digits, exponent, suffix] = match;
  return exponent === undefined ? Number(digits) * (suffixFactor[suffix ?? ""] ?? 1) : Number(`${digits}${exponent}`);
}
