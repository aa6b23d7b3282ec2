/**
 * The text of a component that uses resources of the host: interface `test:host/api` with `thing` and `other`, which it can
 * make, look at (`borrow`) and give away (`own`). `core` are functions of its core module, of which `run` (no arguments),
 * `lent` (a borrowed thing), `given` (a thing of its own) and `gives` (whose result is one) are exported.
 */
export function thingsComponent(core: Readonly<Partial<Record<"run" | "lent" | "given" | "gives", string>>>): string {
  const body = (name: keyof typeof core, signature: string, fallback: string): string =>
    `(func (export "${name}") ${signature} ${core[name] ?? fallback})`;
  return `(component
  (import "test:host/api" (instance $api
    (export "thing" (type $thing (sub resource)))
    (export "other" (type $other (sub resource)))
    (export "make" (func (result (own $thing))))
    (export "make-other" (func (result (own $other))))
    (export "look" (func (param "x" (borrow $thing)) (result u32)))
    (export "look-twice" (func (param "x" (borrow $thing)) (param "y" (borrow $thing))))
    (export "take" (func (param "x" (own $thing))))
    (export "look-and-take" (func (param "x" (borrow $thing)) (param "y" (own $thing))))))
  (alias export $api "thing" (type $thing))
  (alias export $api "other" (type $other))
  (core func $make (canon lower (func $api "make")))
  (core func $make-other (canon lower (func $api "make-other")))
  (core func $look (canon lower (func $api "look")))
  (core func $look-twice (canon lower (func $api "look-twice")))
  (core func $take (canon lower (func $api "take")))
  (core func $look-and-take (canon lower (func $api "look-and-take")))
  (core func $drop (canon resource.drop $thing))
  (core func $drop-other (canon resource.drop $other))
  (core module $Guest
    (import "host" "make" (func $make (result i32)))
    (import "host" "make-other" (func $make-other (result i32)))
    (import "host" "look" (func $look (param i32) (result i32)))
    (import "host" "look-twice" (func $look-twice (param i32 i32)))
    (import "host" "take" (func $take (param i32)))
    (import "host" "look-and-take" (func $look-and-take (param i32 i32)))
    (import "host" "drop" (func $drop (param i32)))
    (import "host" "drop-other" (func $drop-other (param i32)))
    (global $kept (mut i32) (i32.const 0))
    ${body("run", "(local $x i32)", "")}
    ${body("lent", "(param $x i32)", "(call $drop (local.get $x))")}
    ${body("given", "(param $x i32)", "")}
    ${body("gives", "(result i32)", "(call $make)")})
  (core instance $guest (instantiate $Guest (with "host" (instance
    (export "make" (func $make)) (export "make-other" (func $make-other))
    (export "look" (func $look)) (export "look-twice" (func $look-twice))
    (export "take" (func $take)) (export "look-and-take" (func $look-and-take))
    (export "drop" (func $drop)) (export "drop-other" (func $drop-other))))))
  (func (export "run") (canon lift (core func $guest "run")))
  (func (export "lent") (param "x" (borrow $thing)) (canon lift (core func $guest "lent")))
  (func (export "given") (param "x" (own $thing)) (canon lift (core func $guest "given")))
  (func (export "gives") (result (own $thing)) (canon lift (core func $guest "gives"))))`;
}

/** A resource of the host that knows how often it was dropped. */
export class Thing {
  drops = 0;

  [Symbol.dispose](): void {
    this.drops++;
  }
}

/** The host of `thingsComponent`, with all that it made and all that it was given. */
export class ThingsHost {
  readonly made: Thing[] = [];
  readonly looked: unknown[] = [];
  readonly taken: unknown[] = [];
  readonly interfaces = {
    "test:host/api": {
      make: (): Thing => this.#make(),
      makeOther: (): Thing => this.#make(),
      look: (thing: unknown): number => this.looked.push(thing),
      lookTwice: (first: unknown, second: unknown): void => void this.looked.push(first, second),
      take: (thing: unknown): void => void this.taken.push(thing),
      lookAndTake: (looked: unknown, taken: unknown): void => {
        this.looked.push(looked);
        this.taken.push(taken);
      },
    },
  };

  #make(): Thing {
    const thing = new Thing();
    this.made.push(thing);
    return thing;
  }
}
