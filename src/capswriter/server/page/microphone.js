// The microphone: opened at the first press, kept for a while, let go of when nobody talks.

const LINGER = 30_000; // ms; opening takes long enough to lose a first syllable
const TAIL = 100; // ms of sound that the system still holds when the key is released

export class Microphone {
  #stream = null;
  #context = null;
  #node = null;
  #opening = null;
  #letGo = null;
  #ended = null;
  #take = null;
  #stopping = null;

  /** Whether the browser would let any page at this address have a microphone. */
  static get isPossible() {
    return window.isSecureContext && Boolean(navigator.mediaDevices?.getUserMedia);
  }

  get isOpen() {
    return this.#node !== null && this.#stream.active;
  }

  /** Asks for it; throws what getUserMedia throws. */
  async open() {
    clearTimeout(this.#letGo);
    await this.#stopping; // else the end of the last round would be that of the next
    if (this.isOpen) return;
    this.#opening ??= this.#open().finally(() => {
      this.#opening = null;
    });
    await this.#opening;
  }

  async #open() {
    this.close();
    const wanted = { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true };
    this.#stream = await navigator.mediaDevices.getUserMedia({ audio: wanted });
    this.#context = new AudioContext();
    await this.#context.audioWorklet.addModule(new URL("worklet.js", import.meta.url));
    await this.#context.resume();
    const options = { numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit" };
    const node = new AudioWorkletNode(this.#context, "recorder", options);
    node.port.onmessage = ({ data }) => (data === null ? this.#ended?.() : this.#take?.(data));
    this.#context.createMediaStreamSource(this.#stream).connect(node);
    this.#node = node;
  }

  /** Calls `take` with 16 kHz s16le PCM from now on; `lost` where the microphone is unplugged. */
  start(take, lost) {
    clearTimeout(this.#letGo);
    this.#take = take;
    this.#stream.getAudioTracks()[0].onended = lost;
    this.#node.port.postMessage("start");
  }

  /** Ends it; what was said until now has been taken when this returns. */
  async stop() {
    this.#stopping ??= this.#stop().finally(() => {
      this.#stopping = null;
    });
    await this.#stopping;
  }

  async #stop() {
    if (!this.#node) return;
    await new Promise((resolve) => setTimeout(resolve, TAIL));
    await new Promise((resolve) => {
      this.#ended = resolve;
      this.#node?.port.postMessage("stop");
      setTimeout(resolve, 500); // an audio thread that has gone answers nothing
    });
    this.#take = null;
    this.rest();
  }

  /** Lets go of it some time from now, unless it is needed before. */
  rest() {
    clearTimeout(this.#letGo);
    this.#letGo = setTimeout(() => this.close(), LINGER);
  }

  close() {
    clearTimeout(this.#letGo);
    this.#stream?.getTracks().forEach((track) => track.stop());
    this.#context?.close();
    this.#stream = this.#context = this.#node = null;
  }
}
