// The list of what was said: a card for each round, from its first sound to its text.

import { say, word } from "./words.js";

const list = document.getElementById("list");
const empty = document.getElementById("empty");
const announce = document.getElementById("announce");
const copyAll = document.getElementById("copy-all");
const clear = document.getElementById("clear");

export class Card {
  /** Begins a card; `source` is a file's name, or "" for the microphone. */
  constructor(source) {
    this.item = document.createElement("li");
    this.text = add(this.item, "p", "text");
    this.meta = add(this.item, "p", "meta");
    const time = add(this.meta, "time");
    const now = new Date();
    time.dateTime = now.toISOString();
    time.textContent = now.toTimeString().slice(0, 8);
    if (source) add(this.meta, "span").textContent = source;
    else say(add(this.meta, "span"), "microphone");
    list.prepend(this.item);
    this.wait("listening");
    refresh();
  }

  wait(key, ...given) {
    this.item.className = "open";
    if (!this.text.classList.contains("partial")) {
      this.text.classList.add("quiet");
      say(this.text, key, ...given);
    }
  }

  partial({ text, start, end }) {
    if (!text) return;
    this.#write(text);
    this.text.classList.add("partial");
    this.span ??= add(this.meta, "span", "span");
    this.span.textContent = `${clock(start)} – ${clock(end)}`;
  }

  /** Ends it with a text; `after` is seconds from release, as measured here. */
  final({ text, segments, duration, latency_ms: served }, after, isFile) {
    this.span?.remove();
    this.text.classList.remove("partial", "quiet");
    this.item.className = text ? "" : "nothing";
    if (text) this.#write(text);
    else say(this.text, "nothing");
    say(add(this.meta, "span"), "audio", duration.toFixed(1));
    say(add(this.meta, "span", "latency"), isFile ? "latencyFile" : "latency", after.toFixed(2));
    say(add(this.meta, "span", "served"), "server_latency", (served / 1000).toFixed(2));
    if (segments.length) this.#times(segments);
    if (text) this.#offerCopy(text);
    announce.textContent = text || word("nothing");
    refresh();
  }

  /** Ends it without one; `again` is called by a button where there is something to try again. */
  fail(key, given, again) {
    const heard = this.text.classList.contains("partial") ? this.text.textContent : "";
    this.span?.remove();
    this.item.className = "failed";
    this.text.classList.remove("partial", "quiet");
    const why = heard ? add(this.item, "p", "why") : this.text;
    say(why, key, ...given);
    why.setAttribute("role", "alert");
    if (again) {
      const button = add(this.item, "button", "small");
      button.type = "button";
      say(button, "again");
      button.onclick = () => {
        if (again()) this.remove();
      };
    }
    refresh();
  }

  remove() {
    this.item.remove();
    refresh();
  }

  #write(text) {
    delete this.text.dataset.word;
    this.text.classList.remove("quiet");
    this.text.textContent = text;
  }

  #times(segments) {
    const details = add(this.item, "details");
    say(add(details, "summary"), "times");
    const table = add(details, "ol");
    for (const { start, end, text } of segments) {
      const row = add(table, "li");
      add(row, "span", "span").textContent = `${clock(start)} – ${clock(end)}`;
      add(row, "span").textContent = text;
    }
  }

  #offerCopy(text) {
    const button = add(this.item, "button", "quiet copy");
    button.type = "button";
    say(button, "copy");
    button.onclick = () => copy(text, button);
  }
}

clear.onclick = () => {
  for (const item of [...list.children]) if (!item.classList.contains("open")) item.remove();
  announce.textContent = "";
  refresh();
  document.getElementById("talk").focus(); // the button that had the focus is gone
};

copyAll.onclick = () => {
  const texts = [...list.querySelectorAll(":scope > li:not(.open, .failed, .nothing) > .text")];
  copy(texts.map((each) => each.textContent).reverse().join("\n"), copyAll);
};

function refresh() {
  empty.hidden = list.children.length > 0;
  clear.hidden = !list.querySelector(":scope > li:not(.open)");
  copyAll.hidden = list.querySelectorAll(":scope > li > .copy").length < 2;
}

async function copy(text, button) {
  const before = button.dataset.word === "copied" ? button.dataset.before : button.dataset.word;
  button.dataset.before = before;
  await put(text);
  say(button, "copied");
  announce.textContent = word("copied");
  setTimeout(() => say(button, before), 1500);
}

async function put(text) {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const area = add(document.body, "textarea", "sr"); // a page without https has no clipboard
  area.value = text;
  area.select();
  document.execCommand("copy");
  area.remove();
}

function add(parent, name, className = "") {
  const element = document.createElement(name);
  element.className = className;
  parent.append(element);
  return element;
}

/** Seconds as 0:07.3 or 1:02:07.3. */
function clock(seconds) {
  const tenths = Math.round(seconds * 10);
  const [hours, minutes] = [Math.floor(tenths / 36000), Math.floor(tenths / 600) % 60];
  const rest = ((tenths % 600) / 10).toFixed(1).padStart(4, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}
