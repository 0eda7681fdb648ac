// Takes what the microphone gives, at whatever rate, and posts 16 kHz s16le PCM in chunks of 40 ms.

const RATE = 16000;
const CHUNK = 640;
const CROSSINGS = 16; // of the sinc on either side: the more, the steeper the filter

/** Resamples by a windowed sinc, one table of weights for each place between two samples. */
class Resampler {
  constructor(from) {
    const divisor = gcd(from, RATE);
    this.step = from / divisor; // outputs lie step / phases samples apart
    this.phases = RATE / divisor;
    const cut = Math.min(1, RATE / from) * 0.94; // room for the slope below the Nyquist frequency
    this.half = Math.ceil(CROSSINGS / cut);
    this.tables = Array.from({ length: this.phases }, (_, phase) => this.#weights(phase, cut));
    this.kept = new Float32Array(2 * this.half); // silence before the first sample
    this.position = 0; // of the next output in `kept`, in phases
  }

  #weights(phase, cut) {
    const table = new Float32Array(2 * this.half);
    let sum = 0;
    for (let tap = 0; tap < table.length; tap += 1) {
      const x = tap - this.half + 1 - phase / this.phases;
      const sinc = x === 0 ? 1 : Math.sin(Math.PI * cut * x) / (Math.PI * cut * x);
      const turn = (Math.PI * x) / this.half;
      const window = Math.abs(x) < this.half ? 0.42 + 0.5 * Math.cos(turn) + 0.08 * Math.cos(2 * turn) : 0;
      table[tap] = sinc * window;
      sum += table[tap];
    }
    return table.map((weight) => weight / sum);
  }

  run(samples, emit) {
    const all = new Float32Array(this.kept.length + samples.length);
    all.set(this.kept);
    all.set(samples, this.kept.length);
    const taps = 2 * this.half;
    let first = Math.floor(this.position / this.phases);
    while (first + taps <= all.length) {
      const table = this.tables[this.position % this.phases];
      let value = 0;
      for (let tap = 0; tap < taps; tap += 1) value += all[first + tap] * table[tap];
      emit(value);
      this.position += this.step;
      first = Math.floor(this.position / this.phases);
    }
    this.kept = all.slice(first);
    this.position -= first * this.phases;
  }
}

function gcd(a, b) {
  return b ? gcd(b, a % b) : a;
}

class Recorder extends AudioWorkletProcessor {
  constructor() {
    super();
    this.recording = false;
    this.port.onmessage = ({ data }) => (data === "start" ? this.#start() : this.#stop());
  }

  #start() {
    this.resampler = sampleRate === RATE ? null : new Resampler(sampleRate);
    this.#renew();
    this.recording = true;
  }

  #stop() {
    if (this.recording) this.#post(this.chunk.slice(0, this.filled));
    this.recording = false;
    this.port.postMessage(null); // nothing follows
  }

  #renew() {
    this.chunk = new Int16Array(CHUNK);
    this.filled = 0;
  }

  #post(chunk) {
    this.port.postMessage(chunk.buffer, [chunk.buffer]);
  }

  #take(value) {
    const limited = Math.max(-1, Math.min(1, value));
    this.chunk[this.filled] = Math.round(limited * 32767);
    this.filled += 1;
    if (this.filled === CHUNK) {
      this.#post(this.chunk);
      this.#renew();
    }
  }

  process([channels]) {
    if (this.recording && channels.length) {
      const emit = (value) => this.#take(value);
      if (this.resampler) this.resampler.run(channels[0], emit);
      else channels[0].forEach(emit);
    }
    return true;
  }
}

registerProcessor("recorder", Recorder);
