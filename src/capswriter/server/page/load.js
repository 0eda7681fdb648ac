// How the server is: asked every few seconds while somebody looks at the page.

import { ask } from "./connection.js";
import { say, word } from "./words.js";

const EVERY = 3000; // ms
const facts = document.getElementById("facts");
const workers = document.getElementById("workers");

/** Shows the server's numbers for as long as the page is open. */
export class Load {
  #last = null;

  constructor(tokenOf) {
    this.tokenOf = tokenOf;
    this.ask();
    setInterval(() => document.hidden || this.ask(), EVERY);
    document.addEventListener("visibilitychange", () => document.hidden || this.ask());
  }

  async ask() {
    try {
      const health = await (await ask("health", "")).json();
      const answer = await ask("stats", this.tokenOf());
      this.#last = { health, stats: answer.ok ? await answer.json() : null };
    } catch {
      this.#last = null;
    }
    this.show();
  }

  /** Shows what was heard last; again when the tongue has changed. */
  show() {
    const { health, stats } = this.#last ?? {};
    document.getElementById("server").classList.toggle("away", !health);
    gauge("cpu", health?.cpu_usage_percent);
    gauge("memory", health?.memory_usage_percent);
    const busy = stats?.workers.filter((worker) => worker.state === "busy").length;
    const rows = [["state", health ? word(health.status) : "–"]];
    if (stats) {
      rows.push(
        ["model", stats.model],
        ["version", stats.version],
        ["queue", word("queued", stats.queued_tasks, Math.round(stats.queued_seconds))],
      );
    }
    if (health) {
      rows.push(["connections", word("of", health.active_connections, health.max_connections)]);
      if (!stats) rows.push(["workers", word("of", health.workers.alive, health.workers.wanted)]);
    }
    if (stats) rows.push(["workers", word("workersAre", busy, stats.workers.length)]);
    facts.replaceChildren(...rows.flatMap(([key, text]) => row(key, text)));
    workers.hidden = !stats;
    if (!stats) return;
    workers.setAttribute("aria-label", word("workersAre", busy, stats.workers.length));
    workers.replaceChildren(
      ...stats.workers.map(({ state }) => {
        const box = document.createElement("span");
        box.className = state;
        return box;
      }),
    );
  }
}

function row(key, text) {
  const name = document.createElement("dt");
  const value = document.createElement("dd");
  say(name, key);
  value.textContent = text;
  return [name, value];
}

function gauge(id, percent) {
  const meter = document.getElementById(id);
  const value = percent ?? 0;
  meter.setAttribute("aria-valuenow", Math.round(value));
  meter.firstElementChild.style.transform = `scaleX(${value / 100})`;
  document.getElementById(`${id}-text`).textContent =
    percent === undefined || percent === null ? "–" : `${Math.round(value)} %`;
}
