/** A component, and why it is refused; one without a reason is valid. */
interface Row {
  readonly what: string;
  readonly text: string;
  readonly refused?: RegExp;
}

const row = (what: string, body: string, refused?: RegExp): Row => ({
  what,
  text: `(component ${body})`,
  ...(refused === undefined ? {} : { refused }),
});

/** Core module `$m` and an instance `$i` of it, with what canonical definitions refer to. */
const core = `(core module $m
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable)
    (func (export "none"))
    (func (export "one") (param i32))
    (func (export "two") (param i32 i32))
    (func (export "give") (result i32) unreachable)
    (func (export "pass") (param i32 i32) (result i32) unreachable))
  (core instance $i (instantiate $m))
  (alias core export $i "memory" (core memory $memory))
  (alias core export $i "realloc" (core func $realloc))`;
const lift = (type: string, name: string, options = ""): string =>
  `${core} (func ${type} (canon lift (core func $i "${name}") ${options}))`;
const lower = (type: string, options = ""): string =>
  `${core} (import "f" (func $f ${type})) (core func (canon lower (func $f) ${options}))`;

const canonical: readonly Row[] = [
  row(
    "a result in memory, with all that it needs",
    lift('(param "s" string) (result string)', "pass", "(memory $memory) (realloc $realloc)"),
  ),
  row("a string without memory", lower('(param "s" string)'), /`?memory`? is required|memory/),
  row("a string that comes in without realloc", lift('(param "s" string)', "two", "(memory $memory)"), /realloc/),
  row("a string that comes back without realloc", lower("(result string)", "(memory $memory)"), /realloc/),
  row("a list that goes out without memory", lift("(result (list u8))", "give"), /memory/),
  row("realloc without memory", lift('(param "a" u32)', "one", "(realloc $realloc)"), /memory/),
  row(
    "a memory that is not there",
    `${core} (func (canon lift (core func $i "none") (memory 5)))`,
    /memory 5|out of bounds/,
  ),
  row(
    "two encodings",
    lift('(param "s" string)', "two", "(memory $memory) (realloc $realloc) string-encoding=utf8 string-encoding=utf16"),
    /encoding/,
  ),
  row(
    "two memories",
    lift('(param "s" string)', "two", "(memory $memory) (memory $memory) (realloc $realloc)"),
    /memory/,
  ),
  row(
    "realloc of the wrong type",
    lift('(param "s" string)', "two", '(memory $memory) (realloc (core func $i "pass"))'),
    /realloc.*signature/,
  ),
  row(
    "post-return of the wrong type",
    lift("", "none", '(post-return (core func $i "two"))'),
    /post-return.*signature/,
  ),
  row("post-return where there is nothing to give back", lift("", "none", '(post-return (core func $i "none"))')),
  row("post-return of what is lowered", lower("", '(post-return (core func $i "none"))'), /post-return|options of one/),
  row("a core function with too few parameters", lift('(param "a" u32) (param "b" u32)', "one"), /parameter types/),
  row("a core function with another result", lift("(result f64)", "give"), /result types/),
  row("a core function with a result too many", lift("", "give"), /result types/),
  row(
    "a lift to a type that is no function's",
    `${core} (type $t u8) (func (type $t) (canon lift (core func $i "none")))`,
    /type/,
  ),
  row(
    "seventeen parameters, which are in memory",
    lift(
      Array.from({ length: 17 }, (_, at) => `(param "p${at}" u32)`).join(" "),
      "one",
      "(memory $memory) (realloc $realloc)",
    ),
  ),
  row("an asynchronous lift of a function that is not async", lift("", "none", "async"), /async/),
  row("a callback without async", lift("", "none", '(callback (core func $i "none"))'), /callback|async/),
  row("a stream of characters", `(import "f" (func (param "s" (stream char))))`, /char/),
];

const resourceFixture = `(import "r" (type $r (sub resource)))`;
const annotated = (name: string, type: string): string => `${resourceFixture} (import "${name}" (func ${type}))`;
const names: readonly Row[] = [
  row(
    "a constructor, a method and a static function",
    `${resourceFixture}
    (import "[constructor]r" (func (result (own $r))))
    (import "[method]r.get" (func (param "self" (borrow $r)) (result u8)))
    (import "[static]r.join" (func (param "a" (own $r)) (param "b" (own $r)) (result (own $r))))`,
  ),
  row("a constructor that may fail", annotated("[constructor]r", "(result (result (own $r) (error string)))")),
  row("a constructor of something else", annotated("[constructor]r", "(result u8)"), /should return/),
  row("a constructor without a result", annotated("[constructor]r", ""), /should return/),
  row(
    "a constructor of a resource that is not there",
    annotated("[constructor]q", "(result (own $r))"),
    /resource name/,
  ),
  row("a constructor that is no function", `${resourceFixture} (import "[constructor]r" (instance))`, /not a func/),
  row("a method without self", annotated("[method]r.get", ""), /at least one argument/),
  row("a method with another first parameter", annotated("[method]r.get", '(param "that" (borrow $r))'), /`self`/),
  row("a method that takes its own resource", annotated("[method]r.get", '(param "self" (own $r))'), /borrow/),
  row("a method without a dot", annotated("[method]r", '(param "self" (borrow $r))'), /`\.`/),
  row("a static function of no resource", annotated("[static]q.join", ""), /resource name/),
  row("a method whose name is no name", annotated("[method]r.get_all", '(param "self" (borrow $r))'), /kebab/),
  row(
    "words of capitals and of digits",
    '(import "ABC-d1-x2" (func)) (import "acme:db-2/query-all@1.2.3-rc.1+build" (instance))',
  ),
  row("a name with an underscore", '(import "a_b" (func))', /kebab/),
  row("a name that begins with a digit", '(import "1st" (func))', /kebab/),
  row("a name of mixed case", '(instance $i) (export "getAll" (instance $i))', /kebab/),
  row("an empty name", '(import "" (func))', /kebab/),
  row("a name that ends with a hyphen", '(import "a-" (func))', /kebab/),
  row("two names that differ in case only", '(import "a-b" (func)) (import "A-b" (func))', /conflicts/),
  row("a name twice", '(import "a" (func)) (import "a" (instance))', /conflicts|two imports/),
  row("a package in capitals", '(import "Acme:db/query" (instance))', /kebab/),
  row("an interface without a package", '(import "acme/query" (instance))', /name/),
  row("half a version", '(import "acme:db/query@1.0" (instance))', /version/),
  row("a version that is none", '(import "acme:db/query@one" (instance))', /version/),
  row("a package in a package", '(import "acme:db:sql/query" (instance))', /nested/),
  row("an interface in an interface", '(import "acme:db/query/all" (instance))', /nested/),
];

/** Valid, and not to be had here. */
const notProvided: readonly Row[] = [
  row("an imported core module", '(import "m" (core module))', /"m" is a core module, which no host gives/),
  row("an imported component", '(import "c" (component))', /"c" is a component, which no host gives/),
  row(
    "an interface in an interface",
    '(import "i" (instance (export "j" (instance))))',
    /the import "i" has the instance "j" in it/,
  ),
  row("a function for an interface", '(import "acme:db/query@1.0.0" (func))', /under the name of an interface/),
];

const type = (text: string): string => `(type $t ${text})`;
const valueTypes: readonly Row[] = [
  row("32 flags", type(`(flags ${Array.from({ length: 32 }, (_, at) => `"f${at}"`).join(" ")})`)),
  row("33 flags", type(`(flags ${Array.from({ length: 33 }, (_, at) => `"f${at}"`).join(" ")})`), /32 flags|flags/),
  row("a record of nothing", type("(record)"), /has no fields, cases or names/),
  row("a variant of nothing", type("(variant)"), /has no fields, cases or names/),
  row("an enum of nothing", type("(enum)"), /has no fields, cases or names/),
  row("flags of nothing", type("(flags)"), /has no fields, cases or names/),
  row("a tuple of nothing", type("(tuple)"), /has no fields, cases or names/),
  row("a field twice", type('(record (field "a" u8) (field "A" u8))'), /two parts of the same name/),
  row("a case twice", type('(variant (case "a") (case "a" u8))'), /two parts of the same name/),
  row("a flag twice", type('(flags "a" "a")'), /two parts of the same name/),
  row("an enum's name twice", type('(enum "a" "a")'), /two parts of the same name/),
  row("a parameter twice", type('(func (param "a" u8) (param "a" u8))'), /two parts of the same name/),
  row("a field without a name", type('(record (field "" u8))'), /empty|kebab/),
  row("a case that is no name", type('(variant (case "a b"))'), /kebab/),
  row("a parameter that is no name", type('(func (param "X_y" u8))'), /kebab/),
  row("a type that is not there", type("(list 7)"), /out of bounds|no type 7/),
  row("a list of functions", "(type $f (func)) (type $t (list $f))", /not a defined type|no type of a value|type 0/),
  row("a function of another type's index", '(type $u u8) (import "f" (func (type $u)))', /function/),
  row("an instance of a function's type", '(type $u (func)) (import "f" (instance (type $u)))', /instance/),
];

const visibility: readonly Row[] = [
  row(
    "a record that has been exported before the function is",
    `(type $r (record (field "a" u8))) (export $e "r" (type $r))
    (import "f" (func $f)) ${core} (func $g (param "x" $e) (canon lift (core func $i "one"))) (export "g" (func $g))`,
  ),
  row(
    "a function with a record that has no name",
    `(type $r (record (field "a" u8))) ${core}
    (func $g (param "x" $r) (canon lift (core func $i "one"))) (export "g" (func $g))`,
    /not valid to be used as export/,
  ),
  row(
    "an import with an enum that has no name",
    '(type $e (enum "a")) (import "f" (func (param "x" $e)))',
    /not valid to be used as import/,
  ),
  row(
    "an export of a resource that has no name in a function",
    `(type $r (resource (rep i32))) ${core}
    (func $g (param "x" (own $r)) (canon lift (core func $i "one"))) (export "g" (func $g))`,
    /not valid to be used as export/,
  ),
  row(
    "an export that is said to be of another type",
    '(import "f" (func $f (param "a" u8))) (export "g" (func $f) (func (param "a" u16)))',
    /type|compatible/,
  ),
  row(
    "an export of an instance that has less than is said",
    '(instance $i) (export "i" (instance $i) (instance (export "f" (func))))',
    /f/,
  ),
];

const defined = `(core module $n (func (export "drop") (param i32)) (func (export "wrong") (param i64)))
  (core instance $j (instantiate $n))
  (alias core export $j "drop" (core func $drop)) (alias core export $j "wrong" (core func $wrong))`;
const resources: readonly Row[] = [
  row("a resource with a destructor", `${defined} (type $r (resource (rep i32) (dtor (core func $drop))))`),
  row(
    "a destructor of the wrong type",
    `${defined} (type $r (resource (rep i32) (dtor (core func $wrong))))`,
    /destructor/,
  ),
  row("a destructor that is not there", "(type $r (resource (rep i32) (dtor (core func 4))))", /4|out of bounds/),
  row(
    "resource.new of an import",
    `${resourceFixture} (core func (canon resource.new $r))`,
    /local resource|another component/,
  ),
  row(
    "resource.rep of an import",
    `${resourceFixture} (core func (canon resource.rep $r))`,
    /local resource|another component/,
  ),
  row("resource.drop of an import", `${resourceFixture} (core func (canon resource.drop $r))`),
  row("resource.drop of a number", "(type $u u8) (core func (canon resource.drop $u))", /resource/),
  row("a handle of a number", "(type $u u8) (type $t (own $u))", /resource/),
  row("a borrowed handle as a result", `${resourceFixture} (import "f" (func (result (borrow $r))))`, /borrow/),
  row(
    "a borrowed handle in a list of a result",
    `${resourceFixture} (import "f" (func (result (list (borrow $r)))))`,
    /borrow/,
  ),
  row("a resource that is defined in a type", "(type $i (instance (type $r (resource (rep i32)))))", /resource/),
  row(
    "an own handle where a borrowed one is wanted",
    `${resourceFixture} (import "f" (func $f (param "x" (own $r))))
    (component $c (import "r" (type $r (sub resource))) (import "f" (func (param "x" (borrow $r)))))
    (instance (instantiate $c (with "r" (type $r)) (with "f" (func $f))))`,
    /borrow|type/,
  ),
  row(
    "another resource of the same form",
    `${resourceFixture} (import "q" (type $q (sub resource))) (import "f" (func $f (param "x" (own $q))))
    (component $c (import "r" (type $r (sub resource))) (import "f" (func (param "x" (own $r)))))
    (instance (instantiate $c (with "r" (type $r)) (with "f" (func $f))))`,
    /same|type/,
  ),
  row(
    "a number for a resource",
    `(type $u u8) (component $c (import "r" (type (sub resource)))) (instance (instantiate $c (with "r" (type $u))))`,
    /resource|type/,
  ),
  row(
    "each instance of a component has resources of its own",
    `(component $c (type $r (resource (rep i32))) (export $e "r" (type $r))
      (core module $m (func (export "f") (param i32))) (core instance $i (instantiate $m))
      (func $f (param "x" (own $e)) (canon lift (core func $i "f"))) (export "f" (func $f)))
    (instance $a (instantiate $c)) (instance $b (instantiate $c))
    (component $d (import "r" (type $r (sub resource))) (import "f" (func (param "x" (own $r)))))
    (alias export $a "r" (type $ar))
    (instance (instantiate $d (with "r" (type $ar)) (with "f" (func $b "f"))))`,
    /same|type/,
  ),
];

const instantiation: readonly Row[] = [
  row("an argument too many", '(component $c) (instance (instantiate $c (with "a" (component $c))))'),
  row("an argument too few", '(component $c (import "a" (func))) (instance (instantiate $c))', /`a`|"a"/),
  row(
    "an argument twice",
    '(component $d) (component $c (import "a" (component))) (instance (instantiate $c (with "a" (component $d)) (with "a" (component $d))))',
    /conflicts|twice/,
  ),
  row(
    "a component for a function",
    '(component $d) (component $c (import "a" (func))) (instance (instantiate $c (with "a" (component $d))))',
    /func/,
  ),
  row(
    "a component that wants more than it is given",
    `(component $d (import "x" (func)))
    (component $c (import "a" (component))) (instance (instantiate $c (with "a" (component $d))))`,
    /`?x`?/,
  ),
  row(
    "a component that exports less than is wanted",
    '(component $d) (component $c (import "a" (component (export "x" (func))))) (instance (instantiate $c (with "a" (component $d))))',
    /`x`/,
  ),
  row(
    "a core module that wants more than is said",
    `(core module $m (import "" "f" (func)))
    (component $c (import "m" (core module))) (instance (instantiate $c (with "m" (core module $m))))`,
    /f/,
  ),
  row(
    "a core module without its import",
    '(core module $m (import "env" "f" (func))) (core instance (instantiate $m))',
    /env/,
  ),
  row(
    "a core import twice in what is given",
    '(core module $a) (core module $m) (core instance $i (instantiate $a)) (core instance (instantiate $m (with "x" (instance $i)) (with "x" (instance $i))))',
    /twice|duplicate/,
  ),
  row(
    "an export of a core instance that is not there",
    '(core module $m) (core instance $i (instantiate $m)) (alias core export $i "f" (core func $f))',
    /"?`?f/,
  ),
  row("an export of an instance that is not there", '(import "i" (instance $i)) (alias export $i "f" (func $f))', /f/),
  row("a module that is not there", "(core instance (instantiate 3))", /3|unknown module|out of bounds/),
  row("a component that is not there", "(instance (instantiate 3))", /3|unknown component|out of bounds/),
  row(
    "a core function that is not of its body's type",
    "(core module (func (result i32) i64.const 0))",
    /core module 0 is invalid.*type error/,
  ),
  row("a core module with a shared memory", "(core module (memory 1 1 shared))", /shared memory/),
  row("a core module that exports a name twice", '(core module (func (export "f")) (func (export "f")))', /`?f`?/),
];

const outer: readonly Row[] = [
  row("a type of the component around", "(type $t u8) (component (alias outer 1 $t (type $u)) (type (list $u)))"),
  row("a component further out than there is one", "(alias outer 2 0 (type))", /outer/),
  row("a type that is defined later", "(component (alias outer 1 0 (type))) (type u8)", /outer|out of bounds/),
  row(
    "a resource of the component around",
    "(type $r (resource (rep i32))) (component (alias outer 1 $r (type $q)))",
    /resources/,
  ),
  row(
    "a type with a resource of the component around",
    "(type $r (resource (rep i32))) (type $o (own $r)) (component (alias outer 1 $o (type $q)))",
    /resources/,
  ),
];

/** Components by what they are about, most of which break one rule of the Component Model each. */
export const componentsOf: Readonly<Record<string, readonly Row[]>> = {
  "canonical definitions": canonical,
  names,
  "types of values": valueTypes,
  "types of what is imported and exported have names": visibility,
  resources,
  instantiation,
  "outer aliases": outer,
  "what no host gives": notProvided,
};
