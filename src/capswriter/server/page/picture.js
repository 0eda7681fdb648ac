// What is seen of sound: the waveform and the level.

const BAR = 3; // CSS pixels
const GAP = 2;
const FLOOR = -60; // dB; what is softer is silence
const STILL = matchMedia("(prefers-reduced-motion: reduce)");

export class Picture {
  #bars = [];
  #whole = false; // bars of a file, all there is; else the newest of the microphone
  #done = 0;
  #isLive = false;
  #drawn = 0;
  #pending = false;

  constructor(canvas, meter, button) {
    this.canvas = canvas;
    this.meter = meter;
    this.button = button;
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    this.level(0);
  }

  /** Begins an empty picture of the microphone. */
  listen() {
    this.#bars = [];
    this.#whole = false;
    this.#isLive = true;
    this.draw();
  }

  /** Adds a chunk of the microphone. */
  add(pcm) {
    const peak = loudest(pcm) / 32768;
    this.#bars.push(peak);
    if (this.#bars.length > 2000) this.#bars.splice(0, 1000);
    this.level(peak);
    this.#soon();
  }

  /** Shows a whole file. */
  show(pcm) {
    const count = 160;
    const size = Math.max(1, Math.floor(pcm.length / count));
    this.#bars = [];
    for (let at = 0; at + size <= pcm.length && this.#bars.length < count; at += size) {
      this.#bars.push(loudest(pcm.subarray(at, at + size)) / 32768);
    }
    this.#whole = true;
    this.#done = 0;
    this.#isLive = true;
    this.draw();
  }

  /** Marks how much of the file has been sent, 0 to 1. */
  progress(done) {
    this.#done = done;
    this.#soon();
  }

  /** Nothing is recorded any more; the picture stays, in quiet colours. */
  rest() {
    this.#isLive = false;
    this.level(0);
    this.draw();
  }

  /** Shows a peak of 0 to 1. */
  level(peak) {
    const decibels = Math.max(FLOOR, 20 * Math.log10(peak || 1e-9));
    const part = 1 - decibels / FLOOR;
    this.meter.firstElementChild.style.transform = `scaleX(${part.toFixed(3)})`;
    this.meter.setAttribute("aria-valuenow", Math.round(decibels));
    this.meter.classList.toggle("loud", decibels > -1);
    this.button.style.setProperty("--level", STILL.matches ? 0 : part.toFixed(3));
  }

  #soon() {
    const rest = STILL.matches ? 250 - (performance.now() - this.#drawn) : 0;
    if (this.#pending || rest > 0) return;
    this.#pending = true;
    requestAnimationFrame(() => {
      this.#pending = false;
      this.draw();
    });
  }

  draw() {
    this.#drawn = performance.now();
    const { canvas } = this;
    const { clientWidth: width, clientHeight: height } = canvas;
    const scale = window.devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
    }
    const pen = canvas.getContext("2d");
    const colour = getComputedStyle(canvas);
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, height);
    const room = Math.floor(width / (BAR + GAP));
    const shown = this.#whole ? stretched(this.#bars, room) : this.#bars.slice(-room);
    for (let index = 0; index < room; index += 1) {
      const bar = this.#whole ? index : index - (room - shown.length);
      const peak = shown[bar] ?? 0;
      const tall = Math.max(BAR, Math.sqrt(peak) * height * 0.94);
      const isHeard = bar in shown && (!this.#whole || !this.#isLive || bar / room <= this.#done);
      const name = !isHeard ? "--faint" : this.#isLive ? "--wave" : "--wave-past";
      pen.fillStyle = colour.getPropertyValue(name);
      pen.beginPath();
      pen.roundRect(index * (BAR + GAP), (height - tall) / 2, BAR, tall, BAR / 2);
      pen.fill();
    }
  }
}

function loudest(pcm) {
  let peak = 0;
  for (const sample of pcm) peak = Math.max(peak, Math.abs(sample));
  return peak;
}

function stretched(bars, count) {
  if (!bars.length) return [];
  return Array.from({ length: count }, (_, at) => bars[Math.floor((at * bars.length) / count)]);
}
