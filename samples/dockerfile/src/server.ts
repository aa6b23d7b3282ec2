import { createServer } from "node:http";
import app from "./index.ts";

// The function over Node's own HTTP, without its request bodies: this one has none to read.
createServer((request, response) => {
  const answer = app.fetch(new Request(`http://${request.headers.host ?? "localhost"}${request.url ?? "/"}`));
  void answer.text().then((text) => response.writeHead(answer.status).end(text));
}).listen(Number(process.env["PORT"] ?? 8080));
