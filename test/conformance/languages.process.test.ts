import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { chmod, cp, mkdir, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { mapCoreModules } from "../../sdk/build/engine/component-binary.ts";
import { sectionsOf } from "../../sdk/build/engine/wasm-binary.ts";
import { createProject } from "../../sdk/build/index.ts";
import { keptBuildCache } from "../../sdk/internal/testing/index.ts";
import {
  type Answering,
  type Bench,
  type Compiled,
  compile,
  openBench,
  serveComponent,
  serveProgram,
} from "../support/compiled.ts";
import { exchangeRaw } from "../support/raw-http.ts";
import { missingTools } from "../support/toolchains.ts";

const guestGo = fileURLToPath(new URL("../../sdk/guest/go", import.meta.url));

const goProject = {
  "shallop.yaml": "name: x\nwasm:\n  source: main.go\n",
  "go.mod": `module x\n\ngo 1.24\n\nrequire shallop v0.0.0\n\nreplace shallop => ${guestGo}\n`,
  "main.go": `package main

import (
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"shallop"
)

func main() { shallop.Main() }

func init() {
	http.HandleFunc("/fetch", func(w http.ResponseWriter, r *http.Request) {
		answer, err := http.Post(r.FormValue("url"), "a/b", strings.NewReader("over and back"))
		if err != nil {
			http.Error(w, err.Error(), 502)
			return
		}
		defer answer.Body.Close()
		body, _ := io.ReadAll(answer.Body)
		fmt.Fprintf(w, "%d %s %s", answer.StatusCode, answer.Header.Get("X-Seen"), body)
	})
	http.HandleFunc("/wait", func(w http.ResponseWriter, r *http.Request) {
		sums := make(chan int)
		for each := range 3 {
			go func() { time.Sleep(5 * time.Millisecond); sums <- each + 2 }()
		}
		fmt.Fprint(w, <-sums+<-sums+<-sums, " ")
		select {
		case <-time.After(20 * time.Millisecond):
			fmt.Fprint(w, "waited")
		case <-r.Context().Done():
		}
	})
	http.HandleFunc("/environment", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, os.Getenv("COLOUR")) })
	http.HandleFunc("/chance", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, rand.Text()) })
	http.HandleFunc("/panic", func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("late") != "" {
			fmt.Fprint(w, "begun")
			w.(http.Flusher).Flush()
			time.Sleep(100 * time.Millisecond)
		}
		panic("too bad")
	})
}
`,
};

const pythonProgram = `import os, random, time
from bottle import Bottle, request

framework = Bottle()
built = time.time_ns()

@framework.route("/greet/<name>")
def greet(name):
    return {"hello": name}

@framework.post("/form")
def form():
    return f"{request.forms.a} {request.forms.b}"

@framework.route("/environment")
def environment():
    return os.environ["COLOUR"]

@framework.route("/chance")
def chance():
    return str(random.random())

@framework.route("/built")
def when():
    return str(built)

def app(environ, start_response):
    if environ["PATH_INFO"] == "/fail":
        return fail(environ, start_response)
    return framework(environ, start_response)

def fail(environ, start_response):
    if environ["QUERY_STRING"] == "late=1":
        start_response("200 OK", [])
        yield b"begun"
        time.sleep(0.1)
    raise RuntimeError("too bad")
`;

// Samples and templates of the compiled languages: built by the project's own build, served by our engine on a socket, and
// the native variants of the same sources beside it.

const sample = (name: string): string => fileURLToPath(new URL(`../../samples/${name}`, import.meta.url));

// A compiler whose caches are empty takes its time on a small machine.
const buildMsMax = 240_000;

let bench: Bench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench[Symbol.asyncDispose]());

async function writeProject(files: Readonly<Record<string, string>>): Promise<string> {
  const directory = await mkdtemp(join(bench.directory, "project-"));
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(directory, name)), { recursive: true });
    await writeFile(join(directory, name), text);
  }
  return directory;
}

const without = (missing: string | undefined): string => (missing === undefined ? "" : ` (not tested: ${missing})`);

const textOf = async (url: string, init: RequestInit = {}): Promise<[number, string]> => {
  const answer = await fetch(url, init);
  return [answer.status, await answer.text()];
};

/** What each sample that shows a language has: `/`, `/about`, `/echo`, and nothing else. */
function keepsItsPromises(language: string, served: () => Answering): void {
  test("greets the name in the query, decoded", async () => {
    const { url } = served();
    expect(await textOf(url)).toEqual([200, "hello, world\n"]);
    expect(await textOf(`${url}/?other=1&name=J%C3%B6rg+B%26C`)).toEqual([200, "hello, Jörg B&C\n"]);
  });

  test("sees the method, the path, the query and the headers", async () => {
    const answer = await fetch(`${served().url}/about?a=1&b=%20`, { method: "PATCH", headers: { "X-Greeting": "hé" } });
    expect(answer.status).toBe(200);
    expect(answer.headers.get("x-language")).toBe(language);
    expect(answer.headers.get("content-type")).toBe("text/plain; charset=utf-8");
    // Header values are bytes: é is one, in Latin-1, and no UTF-8 of its own.
    const lines = Buffer.from(await answer.arrayBuffer())
      .toString("latin1")
      .split("\n");
    expect(lines.slice(0, 2)).toEqual(["PATCH /about", "query: a=1&b=%20"]);
    expect(lines[2]).toMatch(/^x-greeting: h/);
  });

  test("answers 404 elsewhere, and HEAD without a body", async () => {
    const { url } = served();
    expect(await textOf(`${url}/elsewhere`)).toEqual([404, "there is no such page\n"]);
    expect(await textOf(url, { method: "HEAD" })).toEqual([200, ""]);
  });

  test("gives a large body back, byte for byte", async () => {
    const body = Uint8Array.from({ length: 3_000_000 }, (_, at) => (at * 31) >> 3);
    const answer = await fetch(`${served().url}/echo`, { method: "POST", body, headers: { "content-type": "a/b" } });
    expect([answer.status, answer.headers.get("content-type")]).toEqual([201, "a/b"]);
    expect(Buffer.from(await answer.arrayBuffer()).equals(body)).toBe(true);
    expect(await textOf(`${served().url}/echo`, { method: "POST" })).toEqual([201, ""]);
  });

  test("streams: what is sent comes back before more is", async () => {
    const outgoing = request(`${served().url}/echo`, { method: "POST" });
    outgoing.write("first");
    const [incoming] = (await once(outgoing, "response")) as [IncomingMessage];
    expect(String((await once(incoming, "data"))[0])).toBe("first");
    outgoing.write("second");
    expect(String((await once(incoming, "data"))[0])).toBe("second");
    outgoing.end();
    incoming.resume();
    await once(incoming, "end");
  });

  test("answers many at once, each its own", async () => {
    const { url } = served();
    const names = Array.from({ length: 60 }, (_, at) => `n${at}`);
    const answers = await Promise.all(names.map((name) => textOf(`${url}/?name=${name}`)));
    expect(answers).toEqual(names.map((name) => [200, `hello, ${name}\n`]));
  });

  test("outlives a client that goes away in the middle", async () => {
    const { url } = served();
    const outgoing = request(`${url}/echo`, { method: "POST" });
    outgoing.on("error", () => undefined);
    outgoing.write("half");
    await once(outgoing, "response");
    outgoing.destroy();
    expect(await textOf(url)).toEqual([200, "hello, world\n"]);
  });
}

/** The least memory of a component's largest core module. */
function pagesOf(component: Uint8Array): number {
  let pages = 0;
  mapCoreModules(component, (module) => {
    const memory = sectionsOf(module).sections.find(({ id }) => id === 5);
    // One memory: its count, its flags, its least.
    if (memory !== undefined) pages = Math.max(pages, memory.content[2] ?? 0);
    return module;
  });
  return pages;
}

interface Shown {
  readonly name: string;
  /** As the sample calls it. */
  readonly language: string;
  readonly tools: string | undefined;
  /** How large its component may be. */
  readonly bytesMax: number;
  readonly native: boolean;
}

const shown: readonly Shown[] = [
  { name: "c-routes", language: "C", tools: missingTools.c, bytesMax: 100_000, native: true },
  { name: "go", language: "Go", tools: missingTools.go, bytesMax: 10_000_000, native: true },
  { name: "rust", language: "Rust", tools: missingTools.rust, bytesMax: 300_000, native: true },
  { name: "python", language: "Python", tools: missingTools.python, bytesMax: 25_000_000, native: false },
];

describe.each(shown)("samples/$name", ({ name, language, tools, bytesMax, native }) => {
  describe.skipIf(tools !== undefined)(`built${without(tools)}`, () => {
    let compiled: Compiled;
    beforeAll(async () => {
      compiled = await compile(bench, sample(name));
    }, buildMsMax);

    test("has a component of no more than is fit", () => {
      expect(compiled.componentBytes).toBeGreaterThan(1000);
      expect(compiled.componentBytes).toBeLessThan(bytesMax);
    });

    describe("as a component", () => {
      let served: Answering;
      beforeAll(async () => {
        served = await serveComponent(compiled.component!);
      });
      afterAll(() => served[Symbol.asyncDispose]());
      keepsItsPromises(language, () => served);
    });

    if (!native) return;
    describe("as a native program", () => {
      let served: Answering;
      beforeAll(async () => {
        served = await serveProgram(compiled.program!);
      });
      afterAll(() => served[Symbol.asyncDispose]());
      keepsItsPromises(language, () => served);

      test("ends at SIGTERM, after what it is answering", async () => {
        const own = await serveProgram(compiled.program!);
        const outgoing = request(`${own.url}/echo`, { method: "POST" });
        outgoing.write("last ");
        const [incoming] = (await once(outgoing, "response")) as [IncomingMessage];
        own.child.kill("SIGTERM");
        outgoing.end("words");
        let text = "";
        for await (const chunk of incoming) text += String(chunk);
        expect(text).toBe("last words");
        expect(own.child.exitCode ?? (await once(own.child, "close"))[0]).toBe(0);
      });
    });
  });
});

describe.skipIf(missingTools.c !== undefined)(`samples/c${without(missingTools.c)}`, () => {
  test("is the smallest component, with two pages of memory", async () => {
    const { component, componentBytes, program } = await compile(bench, sample("c"));
    expect(componentBytes).toBeLessThan(10_000);
    expect(pagesOf(await readFile(component!))).toBe(2);
    await using served = await serveComponent(component!);
    expect(await textOf(served.url)).toEqual([200, "hello, world\n"]);
    await using native = await serveProgram(program!);
    expect(await textOf(native.url)).toEqual([200, "hello, world\n"]);
  });

  test("has the same digest wherever it lies", async () => {
    const elsewhere = join(bench.directory, "elsewhere");
    await cp(sample("c"), elsewhere, { recursive: true });
    expect((await compile(bench, elsewhere)).digest).toBe((await compile(bench, sample("c"))).digest);
  });
});

describe.skipIf(missingTools.c !== undefined)(`the native server of C${without(missingTools.c)}`, () => {
  let served: Answering;
  beforeAll(async () => {
    served = await serveProgram((await compile(bench, sample("c-routes"))).program!);
  });
  afterAll(() => served[Symbol.asyncDispose]());

  test.each([
    ["a pipeline", "GET / HTTP/1.1\r\nhost: a\r\n\r\nGET /x HTTP/1.1\r\nconnection: close\r\n\r\n", ["200", "404"]],
    [
      "a chunked body with trailers",
      "POST /echo HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nx: y\r\n\r\nGET / HTTP/1.0\r\n\r\n",
      ["201", "200"],
    ],
    [
      "a body that nobody reads",
      "PUT / HTTP/1.1\r\ncontent-length: 5\r\n\r\nabcdeGET /x HTTP/1.0\r\n\r\n",
      ["200", "404"],
    ],
    ["what is no HTTP", "HELLO\r\n\r\n", ["400"]],
    ["a header without a colon", "GET / HTTP/1.1\r\nhost\r\n\r\n", ["400"]],
    ["a length that is none", "POST /echo HTTP/1.1\r\ncontent-length: -1\r\n\r\n", ["400"]],
    ["two lengths", "POST /echo HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\na", ["400"]],
    ["a length and chunks", "POST /echo HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n", ["400"]],
    ["a chunk size that is none", "POST /echo HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n", ["201"]],
    ["a head without end", `GET / HTTP/1.1\r\n${"a: b\r\n".repeat(30_000)}`, ["400"]],
    ["a line without end", `GET /${"a".repeat(200_000)}`, ["400"]],
  ])("answers %s, and closes", async (_, sent, statuses) => {
    const port = Number(new URL(served.url).port);
    const { text, closed } = await exchangeRaw({ port, pieces: [sent] });
    expect([...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => status)).toEqual(statuses);
    expect(closed).toBe(true);
    expect(await textOf(served.url)).toEqual([200, "hello, world\n"]);
  });

  test("says that a body may come before it is sent", async () => {
    const port = Number(new URL(served.url).port);
    const head = "POST /echo HTTP/1.1\r\nexpect: 100-continue\r\nconnection: close\r\ncontent-length: 2\r\n\r\n";
    const { text } = await exchangeRaw({ port, pieces: [head, "ok"] });
    expect(text).toMatch(
      /^HTTP\/1\.1 201 [^]*HTTP\/1\.1 100 Continue\r\n\r\n|^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 201 /,
    );
    expect(text).toContain("\r\n\r\n2\r\nok\r\n0\r\n\r\n");
  });
});

describe.skipIf(missingTools.go !== undefined)(`Go beyond the sample${without(missingTools.go)}`, () => {
  let served: Answering;
  let upstream: Server;
  beforeAll(async () => {
    upstream = createServer((incoming, outgoing) => {
      outgoing.setHeader("x-seen", `${incoming.method} ${incoming.url}`);
      outgoing.statusCode = 203;
      incoming.pipe(outgoing);
    }).listen(0, "127.0.0.1");
    await once(upstream, "listening");
    const { component } = await compile(bench, await writeProject(goProject));
    served = await serveComponent(component!, "--allow-host", "127.0.0.1", "--env", "COLOUR=blue");
  }, buildMsMax);
  afterAll(async () => {
    upstream.close();
    await served[Symbol.asyncDispose]();
  });

  test("net/http's client goes out through WASI", async () => {
    const { port } = upstream.address() as AddressInfo;
    const url = encodeURIComponent(`http://127.0.0.1:${port}/there?x=1`);
    expect(await textOf(`${served.url}/fetch?url=${url}`)).toEqual([200, "203 POST /there?x=1 over and back"]);
    const nobody = encodeURIComponent("http://127.0.0.1:1/");
    expect(await textOf(`${served.url}/fetch?url=${nobody}`)).toEqual([
      502,
      expect.stringMatching(/connection refused/),
    ]);
  });

  test("goroutines wait for each other and for the clock", async () => {
    expect(await textOf(`${served.url}/wait`)).toEqual([200, "9 waited"]);
  });

  test("the environment is the pod's, and chance is fresh", async () => {
    expect(await textOf(`${served.url}/environment`)).toEqual([200, "blue"]);
    const [first, second] = [await textOf(`${served.url}/chance`), await textOf(`${served.url}/chance`)];
    expect(first[1]).not.toBe(second[1]);
  });

  test("a handler that panics answers 500, or breaks off what it has begun", async () => {
    expect(await textOf(`${served.url}/panic`)).toEqual([500, ""]);
    const answer = await fetch(`${served.url}/panic?late=1`);
    expect(answer.status).toBe(200);
    await expect(answer.text()).rejects.toThrow();
    expect(served.output()).toContain("the handler panics: too bad");
    expect(await textOf(`${served.url}/environment`)).toEqual([200, "blue"]);
  });
});

describe.skipIf(missingTools.python !== undefined)(`Python beyond the sample${without(missingTools.python)}`, () => {
  let served: Answering;
  beforeAll(async () => {
    const files = {
      "shallop.yaml": "name: x\nwasm:\n  source: app.py\n",
      "requirements.txt": "bottle==0.13.4\n",
      "app.py": pythonProgram,
    };
    const { component } = await compile(bench, await writeProject(files));
    served = await serveComponent(component!, "--env", "COLOUR=blue");
  }, buildMsMax);
  afterAll(() => served[Symbol.asyncDispose]());

  test("a framework of requirements.txt routes", async () => {
    expect(await textOf(`${served.url}/greet/you`)).toEqual([200, '{"hello": "you"}']);
    expect((await textOf(`${served.url}/nowhere`))[0]).toBe(404);
    const form = new URLSearchParams({ a: "1", b: "ü" });
    expect(await textOf(`${served.url}/form`, { method: "POST", body: form })).toEqual([200, "1 ü"]);
  });

  test("the environment is the pod's, and chance is fresh", async () => {
    expect(await textOf(`${served.url}/environment`)).toEqual([200, "blue"]);
    const [first, second] = [await textOf(`${served.url}/chance`), await textOf(`${served.url}/chance`)];
    expect(first[1]).not.toBe(second[1]);
  });

  test("what a module does at its top is done once, when it is built", async () => {
    const [first, second] = [await textOf(`${served.url}/built`), await textOf(`${served.url}/built`)];
    expect(first).toEqual(second);
  });

  test("an application that fails answers 500, or breaks off what it has begun", async () => {
    expect(await textOf(`${served.url}/fail`)).toEqual([500, "the application failed\n"]);
    const answer = await fetch(`${served.url}/fail?late=1`);
    expect(answer.status).toBe(200);
    await expect(answer.text()).rejects.toThrow();
    expect(served.output()).toContain("RuntimeError: too bad");
  });
});

describe("what cannot be built says why", () => {
  async function failureOf(files: Readonly<Record<string, string>>, environment?: NodeJS.ProcessEnv): Promise<string> {
    return compile(bench, await writeProject(files), environment).then(
      () => "it was built",
      (error: unknown) => String(error),
    );
  }
  const project = (source: string, more = ""): string => `name: x\nwasm:\n  source: ${source}\n${more}`;
  const nowhere = { PATH: "/nowhere" };

  test("a compiler that is not there is named, with the way to get it", async () => {
    const failure = await failureOf({ "shallop.yaml": project("a.c"), "a.c": "" }, nowhere);
    expect(failure).toMatch(/TOOL_MISSING.*a\.c is C.*apt-get install clang lld.*brew install llvm lld.*shallop\.yaml/);
  });

  test.skipIf(missingTools.c !== undefined)(
    `directories of tools come before the PATH${without(missingTools.c)}`,
    async () => {
      const clang = execFileSync("sh", ["-c", "command -v clang"], { encoding: "utf8" }).trim();
      const files = {
        "shallop.yaml": project("a.c", `tools: ${dirname(clang)}\n`),
        "a.c": await readFile(join(sample("c"), "src/main.c"), "utf8"),
      };
      expect(await failureOf(files, nowhere)).toBe("it was built");
    },
  );

  test.skipIf(missingTools.c !== undefined)(
    `broken C is shown as the compiler shows it${without(missingTools.c)}`,
    async () => {
      const failure = await failureOf({ "shallop.yaml": project("a.c"), "a.c": "#include <shallop.h>\nint x = y;\n" });
      expect(failure).toMatch(/SOURCE_INVALID[^]*a\.c:2:9: error: use of undeclared identifier 'y'/);
      const unlinked = await failureOf({ "shallop.yaml": project("a.c"), "a.c": "#include <shallop.h>\n" });
      expect(unlinked).toMatch(/SOURCE_INVALID[^]*shallop_handle/);
    },
  );

  test("a Go that is not there, or too old, is named", async () => {
    const source = { "a.go": "", "shallop.yaml": project("a.go", "tools: old\n") };
    const old = await writeProject({ ...source, "old/go": "#!/bin/sh\necho go1.23.4\n" });
    await chmod(join(old, "old/go"), 0o755);
    for (const directory of [old, await writeProject(source)]) {
      const failure = await compile(bench, directory, nowhere).catch(String);
      expect(failure).toMatch(/TOOL_MISSING.*a\.go is Go.*1\.24 or newer.*go\.dev/);
    }
  });

  test.skipIf(missingTools.go !== undefined)(
    `broken Go is shown as the compiler shows it${without(missingTools.go)}`,
    async () => {
      const files = { "shallop.yaml": project("a.go"), "go.mod": "module x\n\ngo 1.24\n" };
      expect(await failureOf({ ...files, "a.go": "package main\n\nfunc main() { x() }\n" })).toMatch(
        /SOURCE_INVALID[^]*a\.go:3:15: undefined: x/,
      );
      expect(await failureOf({ ...files, "a.go": "package main\n\nfunc main() {}\n" })).toMatch(
        /COMPONENT_INVALID.*a\.go does not use package shallop/,
      );
    },
  );

  test("a Rust that is not there, or does not know WebAssembly, is named", async () => {
    const source = { "shallop.yaml": project("Cargo.toml", "tools: own\n"), "Cargo.toml": "" };
    expect(await failureOf(source, nowhere)).toMatch(/TOOL_MISSING.*Cargo\.toml is Rust.*no cargo.*rustup\.rs/);
    const directory = await writeProject({ ...source, "own/cargo": "#!/bin/sh\necho cargo 1.95.0\n" });
    await chmod(join(directory, "own/cargo"), 0o755);
    const failure = await compile(bench, directory, nowhere).catch(String);
    expect(failure).toMatch(/TOOL_MISSING.*rustup target add wasm32-wasip1.*apt-get install libstd-rust-dev-wasm32/);
    await writeFile(join(directory, "own/cargo"), "#!/bin/sh\necho rustup could not choose >&2\nexit 1\n");
    expect(await compile(bench, directory, nowhere).catch(String)).toMatch(
      /TOOL_MISSING.*the cargo of this machine does not run:\nrustup could not choose/,
    );
  });

  test("a Python that is not there is named", async () => {
    const failure = await failureOf({ "shallop.yaml": project("a.py"), "a.py": "" }, nowhere);
    expect(failure).toMatch(/TOOL_MISSING.*a\.py is Python.*apt-get install python3-pip.*brew install python/);
  });

  test.skipIf(missingTools.python !== undefined)(
    `Python that cannot be built says why${without(missingTools.python)}`,
    async () => {
      const named = await failureOf({ "shallop.yaml": project("my-app.py"), "my-app.py": "" });
      expect(named).toMatch(/SOURCE_INVALID.*my-app is no name of a module/);
      const unlisted = await failureOf({
        "shallop.yaml": project("a.py"),
        "a.py": "",
        "requirements.txt": "./nowhere-on-this-machine\n",
      });
      expect(unlisted).toMatch(/SOURCE_INVALID.*requirements\.txt cannot be installed/);
    },
  );

  test("a source that is not there", async () => {
    expect(await failureOf({ "shallop.yaml": project("a.c") })).toMatch(/SOURCE_INVALID.*a\.c.*ENOENT/);
  });
});

describe.each([
  { template: "c", tools: missingTools.c },
  { template: "go", tools: missingTools.go },
  { template: "rust", tools: missingTools.rust },
  { template: "python", tools: missingTools.python },
])("template $template", ({ template, tools }) => {
  test.skipIf(tools !== undefined)(
    `makes a project that builds, greets and gives back${without(tools)}`,
    async () => {
      const directory = join(bench.directory, `template-${template}`);
      await createProject(template, directory, keptBuildCache);
      const { component } = await compile(bench, directory);
      await using served = await serveComponent(component!);
      expect(await textOf(`${served.url}/?name=you`)).toEqual([200, "hello, you\n"]);
      expect(await textOf(served.url, { method: "POST", body: "there and back" })).toEqual([200, "there and back"]);
    },
    buildMsMax,
  );
});
