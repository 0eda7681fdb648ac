// The socket to /ws/asr: rounds on it, and its coming back by itself when the server has been away.

const PAUSES = [0.5, 1, 2, 4, 8, 15]; // seconds before each further try; the last one stays
const PING_EVERY = 15_000; // ms
const PATIENCE = 10_000; // ms without a pong after which the connection is taken for dead
const FULL = 1_000_000; // bytes that may wait in the browser before a file's next piece is read

/**
 * A round is any object with `told(kind, message)`, where kind is a message's type or "lost".
 * `onState(state, seconds)` is told "connecting", "open", "away" (with the pause until the next
 * try), "token" or "full".
 */
export class Connection {
  #socket = null;
  #tries = 0;
  #timer = null;
  #pinging = null;
  #deaf = null;
  #unnamed = []; // rounds whose `started` is still to come, in order
  #rounds = new Map(); // by session_id

  constructor({ tokenOf, onState, onError }) {
    this.tokenOf = tokenOf;
    this.onState = onState;
    this.onError = onError;
    this.state = "connecting";
  }

  get isOpen() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  get waiting() {
    return [...this.#unnamed, ...this.#rounds.values()].filter((round) => !round.isDropped);
  }

  /** Connects, at once, whatever was planned. */
  open() {
    clearTimeout(this.#timer);
    this.#leave();
    this.#tell("connecting");
    const address = new URL("ws/asr", document.baseURI);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    address.search = this.tokenOf() ? `?token=${encodeURIComponent(this.tokenOf())}` : "";
    const socket = new WebSocket(address);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.#opened();
    socket.onmessage = ({ data }) => this.#heard(JSON.parse(data));
    socket.onclose = () => this.#closed();
    this.#socket = socket;
  }

  begin(round, options) {
    this.#unnamed.push(round);
    this.#say({ type: "start", ...options });
  }

  send(bytes) {
    if (this.isOpen) this.#socket.send(bytes);
  }

  /** Waits until there is room for more, so that a large file is never in memory as a whole. */
  async room() {
    while (this.isOpen && this.#socket.bufferedAmount > FULL) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  end() {
    this.#say({ type: "stop" });
  }

  /** Takes back the round that is being sent; where none is, all that are being recognised. */
  reset(rounds) {
    for (const round of rounds) round.isDropped = true; // its `started` may still be on its way
    for (const [id, round] of this.#rounds) if (round.isDropped) this.#rounds.delete(id);
    this.#say({ type: "reset" });
  }

  #say(message) {
    this.send(JSON.stringify(message));
  }

  #tell(state, seconds) {
    this.state = state;
    this.onState(state, seconds);
  }

  #opened() {
    this.#tries = 0;
    this.#ping(); // the server closes connections that never say anything
    this.#pinging = setInterval(() => this.#ping(), PING_EVERY);
    this.#tell("open");
  }

  #ping() {
    this.#say({ type: "ping" });
    clearTimeout(this.#deaf);
    this.#deaf = setTimeout(() => this.#closed(), PATIENCE);
  }

  #heard(message) {
    clearTimeout(this.#deaf);
    if (message.type === "started") {
      const round = this.#unnamed.shift();
      if (round && !round.isDropped) this.#rounds.set(message.session_id, round);
    } else if (message.type === "error") {
      this.#failed(message);
    } else {
      const round = this.#rounds.get(message.session_id);
      if (message.type === "final") this.#rounds.delete(message.session_id);
      round?.told(message.type, message);
    }
  }

  #failed(message) {
    const round = this.#rounds.get(message.session_id) ?? this.#unnamed.shift();
    this.#rounds.delete(message.session_id);
    if (round && !round.isDropped) round.told("error", message);
    else if (!round) this.onError(message);
  }

  #leave() {
    clearInterval(this.#pinging);
    clearTimeout(this.#deaf);
    if (this.#socket) {
      this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null;
      this.#socket.close();
      this.#socket = null;
    }
    const lost = this.waiting;
    this.#unnamed = [];
    this.#rounds.clear();
    for (const round of lost) round.told("lost", {});
  }

  async #closed() {
    this.#leave();
    const reason = await this.#reason(); // a browser does not tell a page why a socket was refused
    if (this.#socket) return; // somebody has tried again meanwhile
    if (reason === "token") {
      this.#tell("token");
      return;
    }
    const seconds = PAUSES[Math.min(this.#tries, PAUSES.length - 1)];
    this.#tries += 1;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.open(), seconds * 1000);
    this.#tell(reason, seconds);
  }

  async #reason() {
    try {
      const { status } = await ask("stats", this.tokenOf());
      if (status === 401) return "token";
      const health = await (await ask("health", "")).json();
      return health.active_connections >= health.max_connections ? "full" : "away";
    } catch {
      return "away";
    }
  }
}

/** Asks the server for a page, with the token where there is one. */
export function ask(path, token) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const signal = AbortSignal.timeout(5000);
  return fetch(new URL(path, document.baseURI), { headers, signal, cache: "no-store" });
}
