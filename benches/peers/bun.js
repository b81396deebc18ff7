// Whatever is sent goes to all others: a topic of uWebSockets, as Bun has it.
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch(request, server) {
    return server.upgrade(request) ? undefined : new Response("a WebSocket only", { status: 400 });
  },
  websocket: {
    idleTimeout: 0,
    sendPings: false,
    perMessageDeflate: false,
    open(socket) { socket.subscribe("room"); },
    message(socket, message) { socket.publish("room", message); },
  },
});
console.log(`listening on 127.0.0.1:${server.port}`);
