/** Core functions that replace those of the component; each is the body in the text format. */
export interface MakersCore {
  readonly run?: string;
  readonly dtor?: string;
  readonly take?: string;
  readonly look?: string;
  readonly lookAndTake?: string;
  /** Of the maker's exported function `alone`. */
  readonly alone?: string;
}

/**
 * The text of a component of two: the maker defines a resource whose destructor tells the host of the representation, and
 * the user has what the maker makes. `user` is the core of the user's exported function `run`, `maker` replaces core
 * functions of the maker. The host gives `dropped(rep)` and `mark(n)` in `test:host/api`.
 */
export function makersComponent(core: MakersCore): string {
  return `(component
  (import "test:host/api" (instance $api
    (export "dropped" (func (param "rep" u32)))
    (export "mark" (func (param "n" u32)))))
  (component $Maker ${maker(core)})
  (component $User ${user(core)})
  (instance $maker (instantiate $Maker (with "dropped" (func $api "dropped")) (with "mark" (func $api "mark"))))
  (instance $user (instantiate $User (with "mark" (func $api "mark")) (with "maker" (instance $maker))))
  (export "maker" (instance $maker))
  (export "user" (instance $user)))`;
}

const maker = (core: MakersCore): string => `
    (import "dropped" (func $dropped (param "rep" u32)))
    (import "mark" (func $mark (param "n" u32)))
    (core func $dropped' (canon lower (func $dropped)))
    (core func $mark' (canon lower (func $mark)))
    (core module $Destructor
      (import "host" "dropped" (func $dropped (param i32)))
      (import "host" "mark" (func $mark (param i32)))
      (func (export "dtor") (param $rep i32) ${core.dtor ?? "(call $dropped (local.get $rep))"}))
    (core instance $destructor (instantiate $Destructor (with "host" (instance
      (export "dropped" (func $dropped')) (export "mark" (func $mark'))))))
    (type $R' (resource (rep i32) (dtor (core func $destructor "dtor"))))
    (export $R "r" (type $R'))
    (core func $new (canon resource.new $R'))
    (core func $rep (canon resource.rep $R'))
    (core func $drop (canon resource.drop $R'))
    (core module $Core
      (import "host" "mark" (func $mark (param i32)))
      (import "r" "new" (func $new (param i32) (result i32)))
      (import "r" "rep" (func $rep (param i32) (result i32)))
      (import "r" "drop" (func $drop (param i32)))
      (func (export "make") (param $rep i32) (result i32) (call $new (local.get $rep)))
      (func (export "look") (param $rep i32) (result i32) ${core.look ?? "(local.get $rep)"})
      (func (export "take") (param $x i32) ${core.take ?? "(call $drop (local.get $x))"})
      (func (export "pass") (param $x i32) (result i32) (local.get $x))
      (func (export "look-and-take") (param $rep i32) (param $x i32) ${core.lookAndTake ?? "(call $drop (local.get $x))"})
      (func (export "alone") (local $x i32) ${core.alone ?? ""}))
    (core instance $core (instantiate $Core
      (with "host" (instance (export "mark" (func $mark'))))
      (with "r" (instance (export "new" (func $new)) (export "rep" (func $rep)) (export "drop" (func $drop))))))
    (func (export "make") (param "rep" u32) (result (own $R)) (canon lift (core func $core "make")))
    (func (export "look") (param "x" (borrow $R)) (result u32) (canon lift (core func $core "look")))
    (func (export "take") (param "x" (own $R)) (canon lift (core func $core "take")))
    (func (export "pass") (param "x" (own $R)) (result (own $R)) (canon lift (core func $core "pass")))
    (func (export "look-and-take") (param "x" (borrow $R)) (param "y" (own $R)) (canon lift (core func $core "look-and-take")))
    (func (export "alone") (canon lift (core func $core "alone")))`;

const user = (core: MakersCore): string => `
    (import "mark" (func $mark (param "n" u32)))
    (import "maker" (instance $maker
      (export "r" (type $R (sub resource)))
      (export "make" (func (param "rep" u32) (result (own $R))))
      (export "look" (func (param "x" (borrow $R)) (result u32)))
      (export "take" (func (param "x" (own $R))))
      (export "pass" (func (param "x" (own $R)) (result (own $R))))
      (export "look-and-take" (func (param "x" (borrow $R)) (param "y" (own $R))))))
    (alias export $maker "r" (type $R))
    (core func $mark' (canon lower (func $mark)))
    (core func $make (canon lower (func $maker "make")))
    (core func $look (canon lower (func $maker "look")))
    (core func $take (canon lower (func $maker "take")))
    (core func $pass (canon lower (func $maker "pass")))
    (core func $look-and-take (canon lower (func $maker "look-and-take")))
    (core func $drop (canon resource.drop $R))
    (core module $Core
      (import "host" "mark" (func $mark (param i32)))
      (import "maker" "make" (func $make (param i32) (result i32)))
      (import "maker" "look" (func $look (param i32) (result i32)))
      (import "maker" "take" (func $take (param i32)))
      (import "maker" "pass" (func $pass (param i32) (result i32)))
      (import "maker" "look-and-take" (func $look-and-take (param i32 i32)))
      (import "maker" "drop" (func $drop (param i32)))
      (func (export "run") (local $x i32) (local $y i32) ${core.run ?? ""})
      (func (export "own") (param $x i32) (call $drop (local.get $x)))
      (func (export "borrow") (param $x i32) (result i32)
        (call $look (local.get $x)) (call $drop (local.get $x)))
      (func (export "keep") (param $x i32)))
    (core instance $core (instantiate $Core
      (with "host" (instance (export "mark" (func $mark'))))
      (with "maker" (instance
        (export "make" (func $make)) (export "look" (func $look)) (export "take" (func $take))
        (export "pass" (func $pass)) (export "look-and-take" (func $look-and-take)) (export "drop" (func $drop))))))
    (func (export "run") (canon lift (core func $core "run")))
    (func (export "own") (param "x" (own $R)) (canon lift (core func $core "own")))
    (func (export "borrow") (param "x" (borrow $R)) (result u32) (canon lift (core func $core "borrow")))
    (func (export "keep") (param "x" (borrow $R)) (canon lift (core func $core "keep")))`;
