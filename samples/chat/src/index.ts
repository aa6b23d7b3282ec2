import type { FunctionModule, ServerWebSocket } from "@shallop/sdk/guest";

/** Who a connection is: the gateway keeps it from one call to the next. */
interface Person {
  readonly name: string;
  readonly room: string;
  readonly said: number;
}

const people = (ws: ServerWebSocket): ServerWebSocket<Person> => ws as ServerWebSocket<Person>;

/** A chat: all who are at the same path hear each other. Nothing of it runs while nobody speaks. */
export default {
  fetch: () => new Response("Open a WebSocket at /ROOM?name=NAME, and say something.\n"),

  websocket: {
    open(socket) {
      const ws = people(socket);
      const url = new URL(ws.request.url);
      const name = url.searchParams.get("name")?.slice(0, 40);
      if (name === undefined || name === "") return new Response("Who are you? ?name=NAME\n", { status: 400 });
      ws.data = { name, room: url.pathname.slice(0, 100), said: 0 };
      ws.subscribe(ws.data.room);
      ws.publish(ws.data.room, `* ${name} is here`);
      ws.send(`* welcome, ${name}`);
      return undefined;
    },

    message(socket, data) {
      const ws = people(socket);
      if (typeof data !== "string") return ws.close(1003, "this chat takes text");
      if (data === "/leave") return ws.close(1000, "bye");
      const { name, room, said } = ws.data;
      ws.data = { name, room, said: said + 1 };
      ws.publish(room, `${name}: ${data}`);
      ws.send(`(${said + 1}) ${data}`);
    },

    close(socket) {
      const { name, room } = people(socket).data;
      socket.publish(room, `* ${name} has left`);
    },
  },
} satisfies FunctionModule;
