import { createServer } from "node:http";

/** The limit: what node:http does with nothing behind it, in a process of its own: `hello-server.ts [PORT]`. Prints its port. */
const server = createServer((_, response) => {
  response.writeHead(200, { "content-type": "text/plain;charset=UTF-8", "content-length": "13" });
  response.end("hello, world\n");
});
server.listen(Number(process.argv[2] ?? 0), "127.0.0.1", () => {
  const address = server.address();
  console.log(typeof address === "object" && address !== null ? address.port : 0);
});
