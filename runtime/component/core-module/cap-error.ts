/** A module needs more from its first moment than a cap allows. */
export class CapError extends Error {
  override readonly name = "CapError";
  readonly of: "memory" | "tables";

  constructor(of: CapError["of"], message: string) {
    super(message);
    this.of = of;
  }
}
