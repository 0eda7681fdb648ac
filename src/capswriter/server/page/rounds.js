// A round: what is said or read, what the server tells of it, and a second try where it was lost.

import { Card } from "./results.js";

const PIECE = 64_000; // bytes
const DECODED = 32_000_000; // bytes of a file that the browser decodes; larger ones go as they are
const FORMATS = {
  wav: "wav", webm: "webm", mkv: "webm", ogg: "ogg", oga: "ogg", opus: "ogg",
  mp3: "mp3", mp4: "mp4", m4a: "mp4", mov: "mp4", flac: "flac",
};

export class Round {
  isDropped = false;
  isSent = false;
  #pieces = [];
  #released = 0;

  /** `file` is null for the microphone; `ended` is called when nothing more is to come. */
  constructor(file, ended) {
    this.file = file;
    this.ended = ended;
    this.card = new Card(file?.name ?? "");
  }

  /** Keeps what was said, for a second try. */
  keep(piece) {
    this.#pieces.push(piece);
  }

  get recording() {
    return this.file ?? new File(this.#pieces, "", { type: "audio/x-s16le" });
  }

  get isTalk() {
    return this.file === null;
  }

  /** The key is up, or the last byte is sent. */
  release() {
    this.#released = performance.now();
  }

  told(kind, message) {
    if (kind === "partial") {
      this.card.partial(message);
    } else if (kind === "final") {
      this.card.final(message, (performance.now() - this.#released) / 1000, !this.isTalk);
      this.ended(this);
    } else if (kind === "error") {
      this.#fail("failed", [message.message], message.retryable);
    } else if (kind === "lost") {
      this.#fail(this.isTalk && !this.isSent ? "lostTalk" : "lost", [], true);
    }
  }

  #fail(key, given, mayRetry) {
    const again = mayRetry && (() => this.onAgain(this));
    this.card.fail(key, given, again);
    this.ended(this);
  }
}

/** What of a file is to be sent, and what to say of it; throws where it cannot be read. */
export async function prepared(file) {
  if (file.type === "audio/x-s16le") {
    return { body: file, pcm: new Int16Array(await file.arrayBuffer()), options: {} };
  }
  if (file.size <= DECODED) {
    try {
      const pcm = await decoded(file);
      return { body: new Blob([pcm]), pcm, options: {} };
    } catch {
      // the server may know what the browser does not
    }
  }
  const format = FORMATS[file.name.split(".").pop().toLowerCase()];
  if (!format) throw new Error("neither the browser nor the server reads it");
  return { body: file, pcm: null, options: { format } };
}

async function decoded(file) {
  const context = new OfflineAudioContext(1, 1, 16000); // decodes to its own rate
  const sound = await context.decodeAudioData(await file.arrayBuffer());
  const pcm = new Int16Array(sound.length);
  const channels = Array.from({ length: sound.numberOfChannels }, (_, at) => sound.getChannelData(at));
  for (let at = 0; at < pcm.length; at += 1) {
    let sum = 0;
    for (const channel of channels) sum += channel[at];
    pcm[at] = Math.round(Math.max(-1, Math.min(1, sum / channels.length)) * 32767);
  }
  return pcm;
}

/** Reads a file piece by piece. */
export async function* pieces(body) {
  for (let at = 0; at < body.size; at += PIECE) {
    yield [await body.slice(at, at + PIECE).arrayBuffer(), Math.min(1, (at + PIECE) / body.size)];
  }
}
