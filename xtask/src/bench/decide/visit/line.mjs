// A line of 10 Mbit/s and 40 ms there and back, between the browser and a server.
import { connect, createServer } from "node:net";

const BYTES_PER_MS = 10_000_000 / 8 / 1_000;
const ONE_WAY_MS = 20;
/** What travels at a time: a network's packets. */
const PACKET = 1_460;

/**
 * Listens on a port of its own, all of whose connections share the line to `port`. A new connection pays the way there
 * and back before it carries anything, as TCP does; how TCP feels its way to a line's speed is left out.
 */
export async function startLine(port) {
  const ways = [new Way(), new Way()];
  const server = createServer({ noDelay: true }, (near) => {
    const far = connect({ host: "127.0.0.1", port, noDelay: true });
    const opened = performance.now() + 2 * ONE_WAY_MS;
    carry(near, far, ways[0], opened);
    carry(far, near, ways[1], opened);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server.address().port;
}

/** What is on its way in one direction. */
class Way {
  free = 0;
  travelling = [];
  timer;

  /** Packets arrive in order, each when the line has had the time to carry it. */
  send(bytes, from, arrive) {
    for (let at = 0; at < bytes.length; at += PACKET) {
      const packet = bytes.subarray(at, at + PACKET);
      this.free = Math.max(this.free, from) + packet.length / BYTES_PER_MS;
      this.travelling.push({ due: this.free + ONE_WAY_MS, arrive: () => arrive(packet) });
    }
    this.timer ??= this.wait();
  }

  wait() {
    const [next] = this.travelling;
    return next && setTimeout(() => this.deliver(), next.due - performance.now());
  }

  deliver() {
    while (this.travelling.length > 0 && this.travelling[0].due <= performance.now() + 0.5) this.travelling.shift().arrive();
    this.timer = this.wait();
  }
}

function carry(from, to, way, opened) {
  from.on("data", (bytes) => way.send(bytes, Math.max(performance.now(), opened), (packet) => to.writable && to.write(packet)));
  from.on("error", () => to.destroy());
  from.on("close", () => way.send(Buffer.alloc(1), performance.now(), () => to.end()));
}
