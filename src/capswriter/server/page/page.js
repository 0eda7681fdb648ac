// The page: what a press, a key, a file or a message does.

import { Connection } from "./connection.js";
import { Load } from "./load.js";
import { Microphone } from "./microphone.js";
import { Picture } from "./picture.js";
import { Round, pieces, prepared } from "./rounds.js";
import { LANGUAGES, say, tongue, translate, word } from "./words.js";

const SHORT = 350; // ms; a shorter press keeps the microphone on until the next
const TOKEN = "capswriter-token";

const at = (id) => document.getElementById(id);
const [talk, state, link, notice, noticeText, noticeAct] =
  ["talk", "state", "link", "notice", "notice-text", "notice-act"].map(at);
const [cancel, file, language, tokenForm, tokenField] =
  ["cancel", "file", "language", "token-form", "token"].map(at);

const picture = new Picture(at("wave"), at("level"), talk);
const microphone = new Microphone();
const tokenOf = () => sessionStorage.getItem(TOKEN) ?? "";
let now = null; // the round that is being said or sent
let pressed = null; // when the key went down, while it is down
let isLocked = false; // on without a key being held
let byPointer = false; // whether a click is the end of a press
let countdown = null;

takeTokenFromAddress();
const connection = new Connection({ tokenOf, onState, onError });
const load = new Load(tokenOf);
if (matchMedia("(hover: none)").matches) say(at("how"), "howTouch");
fillLanguages();
translate();
name();
if (!Microphone.isPossible) {
  talk.setAttribute("aria-disabled", "true");
  say(at("how"), "howFiles");
  tell("insecure");
}
connection.open();

// ---- talking

async function press(when) {
  if (isLocked) {
    release();
    return;
  }
  if (now || pressed !== null) return;
  if (!Microphone.isPossible) {
    tell("insecure");
    return;
  }
  if (!connection.isOpen) {
    tell("offline");
    return;
  }
  pressed = when;
  if (!microphone.isOpen) say(state, "opening");
  try {
    await microphone.open();
  } catch (error) {
    pressed = null;
    isLocked = false;
    show();
    tell({ NotAllowedError: "denied", NotFoundError: "missing" }[error.name] ?? "taken");
    return;
  }
  if (!isLocked && pressed === null) {
    rest(); // the key went up while the browser asked for permission
    microphone.rest();
    return;
  }
  hush();
  const round = new Round(null, ended);
  round.onAgain = again;
  now = round;
  connection.begin(round, { language: language.value });
  picture.listen();
  show();
  microphone.start(
    (piece) => {
      round.keep(piece);
      if (now !== round) return; // taken back, failed or lost
      picture.add(new Int16Array(piece));
      connection.send(piece);
    },
    () => {
      tell("unplugged");
      release();
    },
  );
}

async function release({ mayLock = true } = {}) {
  const round = now;
  const began = pressed;
  pressed = null;
  if (mayLock && !isLocked && began !== null && performance.now() - began < SHORT) {
    isLocked = true; // where the microphone is still being opened, from then on
    if (round) show();
    return;
  }
  isLocked = false;
  if (!round?.isTalk || round.isReleased) return;
  round.isReleased = true;
  round.release();
  say(state, "recognising");
  await microphone.stop();
  if (now !== round) return;
  round.isSent = true;
  connection.end();
  round.card.wait("recognising");
  rest();
}

talk.addEventListener("pointerdown", (event) => {
  if (event.button) return;
  byPointer = true;
  talk.setPointerCapture(event.pointerId); // so that letting go elsewhere counts
  press(performance.now());
});
for (const kind of ["pointerup", "pointercancel"]) {
  talk.addEventListener(kind, () => pressed !== null && release());
}
talk.addEventListener("contextmenu", (event) => event.preventDefault()); // a long touch asks for it
talk.addEventListener("click", () => {
  if (!byPointer) toggle(); // screen readers click without a pointer or a key
  byPointer = false;
});

function toggle() {
  if (now) release();
  else {
    press(performance.now());
    release();
  }
}

const isForTalking = ({ key, target, ctrlKey, altKey, metaKey }) =>
  !ctrlKey && !altKey && !metaKey &&
  ((key === " " && !target.closest("input, textarea, select, button:not(#talk), summary, [contenteditable]")) ||
    (key === "Enter" && target === talk));

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !cancel.hidden) takeBack();
  if (!isForTalking(event)) return;
  event.preventDefault(); // neither scrolling nor a click
  if (!event.repeat) press(performance.now());
});
document.addEventListener("keyup", (event) => {
  if (isForTalking(event)) event.preventDefault();
  if (pressed !== null && [" ", "Enter"].includes(event.key)) release();
});
window.addEventListener("blur", () => pressed !== null && release({ mayLock: false })); // no key up comes

// ---- files

file.onchange = () => {
  if (file.files.length) transcribe(file.files[0]);
  file.value = ""; // the same one again is a change, too
};

let depth = 0; // of elements under the dragged file
document.addEventListener("dragenter", () => {
  depth += 1;
  at("dropping").hidden = false;
});
document.addEventListener("dragleave", () => {
  depth -= 1;
  at("dropping").hidden = depth <= 0;
});
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  depth = 0;
  at("dropping").hidden = true;
  if (event.dataTransfer.files.length) transcribe(event.dataTransfer.files[0]);
});

/** Sends a file; says whether it has begun. */
function transcribe(chosen) {
  if (now) tell("oneAtATime");
  else if (!connection.isOpen) tell("offline");
  else {
    sendFile(chosen);
    return true;
  }
  return false;
}

async function sendFile(chosen) {
  hush();
  const isTalk = chosen.type === "audio/x-s16le";
  const shown = isTalk ? word("microphone") : chosen.name;
  const round = new Round(chosen, ended);
  round.onAgain = again;
  if (isTalk) round.card.item.querySelector(".meta span").textContent = word("microphone");
  now = round;
  show();
  round.card.wait("decoding", shown);
  let what;
  try {
    what = await prepared(chosen);
  } catch {
    if (now !== round) return;
    round.card.fail("unreadable", [shown]);
    ended(round);
    return;
  }
  if (now !== round) return; // cancelled meanwhile
  if (!connection.isOpen) {
    round.told("lost", {});
    return;
  }
  if (what.pcm) picture.show(what.pcm);
  connection.begin(round, { language: language.value, ...what.options });
  for await (const [piece, done] of pieces(what.body)) {
    await connection.room();
    if (now !== round) return; // cancelled, failed or lost
    connection.send(piece);
    picture.progress(done);
    round.card.wait("sending", shown, Math.round(done * 100));
  }
  if (now !== round) return;
  round.isSent = true;
  round.release();
  connection.end();
  round.card.wait("recognising");
  rest();
}

function again(round) {
  return transcribe(round.recording);
}

// ---- what becomes of rounds

/** A round has its text, or never will. */
function ended(round) {
  if (now === round) {
    if (round.isTalk) microphone.stop();
    isLocked = false;
    pressed = null;
    rest();
  } else {
    show();
  }
}

/** Nothing is being said or sent any more; texts may still be to come. */
function rest() {
  now = null;
  picture.rest();
  show();
}

function takeBack() {
  const rounds = now ? [now] : connection.waiting;
  const hasBegun = connection.waiting.some((round) => rounds.includes(round));
  if (hasBegun) connection.reset(rounds);
  for (const round of rounds) {
    round.card.remove();
    ended(round);
  }
  say(state, "cancelled");
}
cancel.onclick = () => {
  takeBack();
  talk.focus();
};

function show() {
  const isTalking = Boolean(now?.isTalk);
  const isWaiting = connection.waiting.length > 0;
  document.body.classList.toggle("talking", isTalking);
  talk.setAttribute("aria-pressed", isTalking);
  say(at("talk-name"), isTalking ? "stop" : "talk");
  cancel.hidden = !now && !isWaiting;
  if (isTalking) say(state, isLocked ? "locked" : "listening");
  else if (now || isWaiting) say(state, "recognising");
  else say(state, connection.isOpen ? "ready" : connection.state === "connecting" ? "connecting" : "closed");
}

// ---- the connection

function onState(kind, seconds) {
  if (kind === "open" && link.className !== "") at("announce").textContent = word("open");
  link.className = kind;
  document.body.classList.toggle("off", kind !== "open");
  if (kind !== "connecting") show();
  clearInterval(countdown);
  const isAway = kind === "away" || kind === "full";
  if (isAway) {
    let left = Math.max(1, Math.round(seconds));
    say(at("link-text"), kind, left);
    countdown = setInterval(() => {
      left -= 1;
      if (left > 0) say(at("link-text"), kind, left);
    }, 1000);
  } else {
    say(at("link-text"), kind);
  }
  if (isAway) tell(`${kind}Notice`, "now", () => connection.open());
  if (kind === "open" && ["awayNotice", "fullNotice", "offline"].includes(noticeText.dataset.word)) hush();
  if (kind === "token") askForToken(tokenOf() ? "tokenWrong" : "tokenNotice");
  if (kind === "open") {
    tokenForm.hidden = true;
    if (noticeText.dataset.word?.startsWith("token")) hush();
    at("token-change").hidden = !tokenOf();
    load.ask();
  }
}

function onError(message) {
  tell("failed", null, null, [message.message]);
}

window.addEventListener("online", () => connection.isOpen || connection.open());
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && connection.state === "away") connection.open();
});

// ---- the token

function askForToken(key) {
  tell(key);
  tokenForm.hidden = false;
  tokenField.value = "";
  tokenField.focus();
}

tokenForm.onsubmit = (event) => {
  event.preventDefault();
  sessionStorage.setItem(TOKEN, tokenField.value.trim());
  connection.open();
};
at("token-change").onclick = () => {
  if (tokenForm.hidden) askForToken("tokenNotice");
  else {
    tokenForm.hidden = true;
    hush();
  }
};

/** A link may bring the token; it does not stay in the address, which others may see. */
function takeTokenFromAddress() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token") ??
    new URLSearchParams(location.search).get("token");
  if (given === null) return;
  sessionStorage.setItem(TOKEN, given);
  history.replaceState(null, "", location.pathname);
}

// ---- words

function tell(key, action = null, act = null, given = []) {
  say(noticeText, key, ...given);
  notice.hidden = false;
  notice.classList.toggle("calm", key === "tokenNotice");
  noticeAct.hidden = !action;
  if (action) say(noticeAct, action);
  noticeAct.onclick = act;
}

function hush() {
  notice.hidden = true;
  noticeText.textContent = "";
  delete noticeText.dataset.word;
}

function fillLanguages() {
  for (const code of LANGUAGES) {
    const option = document.createElement("option");
    option.value = code;
    say(option, code);
    language.append(option);
  }
}

function name() {
  at("tongue").textContent = tongue.name === "en" ? "中文" : "English";
  at("tongue").lang = tongue.name === "en" ? "zh" : "en";
}

at("tongue").onclick = () => {
  tongue.change();
  translate();
  name();
  load.show();
};
