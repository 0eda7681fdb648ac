// Every word of the page, in English and Chinese.

const ENGLISH = {
  talk: "Talk",
  stop: "Stop",
  ready: "Ready",
  opening: "Opening the microphone…",
  listening: "Listening",
  locked: "Listening. Press again to stop",
  recognising: "Recognising…",
  decoding: (name) => `Reading ${name}…`,
  sending: (name, percent) => `Sending ${name}, ${percent} %`,
  how: "Hold the button or the space bar while you talk. A short press keeps it on.",
  howTouch: "Hold the button while you talk. A short press keeps it on.",
  howFiles: "The microphone is not available here. Recordings work all the same.",
  cancel: "Cancel",
  cancelled: "Cancelled",
  choose: "Choose a recording",
  drop: "or drop it anywhere",
  dropHere: "Let go to have it written down",
  language: "Language",
  auto: "Detect",
  level: "Level in decibels",
  server: "Server",
  results: "Results",
  empty: "What you say appears here, with its times.",
  copy: "Copy",
  copied: "Copied",
  copyAll: "Copy all",
  clear: "Clear",
  again: "Try again",
  now: "Try now",
  nothing: "Nothing was heard.",
  microphone: "Microphone",
  audio: (seconds) => `${seconds} s of sound`,
  latency: (seconds) => `${seconds} s after release`,
  latencyFile: (seconds) => `${seconds} s after the last byte`,
  server_latency: (seconds) => `server ${seconds} s`,
  times: "Times",
  connecting: "Connecting…",
  open: "Connected",
  closed: "Not connected",
  away: (seconds) => `Not reached, again in ${seconds} s`,
  full: (seconds) => `No free connection, again in ${seconds} s`,
  token: "A token is needed",
  awayNotice: "The server cannot be reached. This page goes on trying by itself.",
  fullNotice: "All connections of the server are taken. This page goes on trying by itself.",
  tokenNotice: "This server lets in only who knows its token.",
  tokenWrong: "This is not the token of this server.",
  tokenLabel: "The server’s token",
  tokenUse: "Use it",
  tokenHint: "It stays in this tab and is forgotten with it.",
  tokenChange: "Change the token",
  lost: "The connection was lost before the text was there. The recording is kept in this page.",
  lostTalk: "The connection was lost while you were talking. What you said until then is kept in this page.",
  denied: "The browser does not let this page use the microphone. Allow it beside the address, then press the button again.",
  missing: "No microphone was found. Plug one in, then press the button again.",
  taken: "The microphone cannot be opened; another program may be using it.",
  unplugged: "The microphone has gone.",
  insecure: "Browsers give the microphone only to pages from https or localhost. Open this page as localhost on the server’s own machine, or start the server with --tls-cert and --tls-key.",
  unreadable: (name) => `${name} is no recording that can be read.`,
  failed: (message) => `The server says: ${message}`,
  oneAtATime: "One recording at a time: this one is still being sent.",
  offline: "Not connected yet; try again in a moment.",
  state: "State",
  healthy: "healthy",
  starting: "starting",
  degraded: "degraded",
  draining: "stopping",
  model: "Model",
  version: "Version",
  queue: "Waiting",
  queued: (tasks, seconds) => (tasks ? `${tasks} (${seconds} s)` : "nothing"),
  connections: "Connections",
  of: (some, all) => `${some} of ${all}`,
  workers: "Workers",
  workersAre: (busy, all) => `${busy} of ${all} busy`,
  cpu: "Processors",
  memory: "Memory",
  zh: "Chinese", en: "English", yue: "Cantonese", ja: "Japanese", ko: "Korean",
  de: "German", fr: "French", es: "Spanish", ru: "Russian",
};

const CHINESE = {
  talk: "说话",
  stop: "停止",
  ready: "就绪",
  opening: "正在打开麦克风…",
  listening: "正在听",
  locked: "正在听，再按一次停止",
  recognising: "正在识别…",
  decoding: (name) => `正在读取 ${name}…`,
  sending: (name, percent) => `正在发送 ${name}，${percent}%`,
  how: "按住按钮或空格键说话，松开出字。短按则保持录音。",
  howTouch: "按住按钮说话，松开出字。短按则保持录音。",
  howFiles: "此处无法使用麦克风，但仍可识别录音文件。",
  cancel: "取消",
  cancelled: "已取消",
  choose: "选择录音文件",
  drop: "或拖放到页面任意位置",
  dropHere: "松开即可识别",
  language: "语言",
  auto: "自动检测",
  level: "电平（分贝）",
  server: "服务器",
  results: "结果",
  empty: "您说的话会连同时间显示在这里。",
  copy: "复制",
  copied: "已复制",
  copyAll: "全部复制",
  clear: "清空",
  again: "重试",
  now: "立即重试",
  nothing: "没有听到语音。",
  microphone: "麦克风",
  audio: (seconds) => `音频 ${seconds} 秒`,
  latency: (seconds) => `松开后 ${seconds} 秒出字`,
  latencyFile: (seconds) => `发送完毕后 ${seconds} 秒`,
  server_latency: (seconds) => `服务器 ${seconds} 秒`,
  times: "时间",
  connecting: "正在连接…",
  open: "已连接",
  closed: "未连接",
  away: (seconds) => `未连上，${seconds} 秒后重试`,
  full: (seconds) => `连接数已满，${seconds} 秒后重试`,
  token: "需要令牌",
  awayNotice: "连不上服务器，本页会自动重试。",
  fullNotice: "服务器的连接数已满，本页会自动重试。",
  tokenNotice: "此服务器需要令牌才能使用。",
  tokenWrong: "令牌不正确。",
  tokenLabel: "服务器令牌",
  tokenUse: "使用",
  tokenHint: "只保存在此标签页中，关闭即忘。",
  tokenChange: "更换令牌",
  lost: "出字之前连接断开了。录音仍保留在本页中。",
  lostTalk: "说话时连接断开了。断开前的录音仍保留在本页中。",
  denied: "浏览器不允许本页使用麦克风。请在地址栏旁允许，然后再按一次按钮。",
  missing: "没有找到麦克风。请插入后再按一次按钮。",
  taken: "无法打开麦克风，可能正被其他程序使用。",
  unplugged: "麦克风已断开。",
  insecure: "浏览器只允许 https 或 localhost 的页面使用麦克风。请在服务器本机用 localhost 打开本页，或用 --tls-cert 和 --tls-key 启动服务器。",
  unreadable: (name) => `${name} 不是可读取的录音。`,
  failed: (message) => `服务器提示：${message}`,
  oneAtATime: "一次只能处理一段录音，当前这段还在发送。",
  offline: "尚未连接，请稍后再试。",
  state: "状态",
  healthy: "正常",
  starting: "启动中",
  degraded: "降级",
  draining: "停止中",
  model: "模型",
  version: "版本",
  queue: "排队",
  queued: (tasks, seconds) => (tasks ? `${tasks} 个（${seconds} 秒）` : "无"),
  connections: "连接",
  of: (some, all) => `${some} / ${all}`,
  workers: "工作进程",
  workersAre: (busy, all) => `${busy} / ${all} 忙`,
  cpu: "处理器",
  memory: "内存",
  zh: "中文", en: "英语", yue: "粤语", ja: "日语", ko: "韩语",
  de: "德语", fr: "法语", es: "西班牙语", ru: "俄语",
};

const TONGUES = { en: ENGLISH, zh: CHINESE };
const KEPT = "capswriter-tongue";

export const LANGUAGES = ["auto", "zh", "en", "yue", "ja", "ko", "de", "fr", "es", "ru"];

export const tongue = {
  name: localStorage.getItem(KEPT) ?? (navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en"),

  change() {
    this.name = this.name === "en" ? "zh" : "en";
    localStorage.setItem(KEPT, this.name);
  },
};

/** A word in the tongue of the page; some want numbers or names. */
export function word(key, ...given) {
  const found = (TONGUES[tongue.name] ?? ENGLISH)[key] ?? key;
  return typeof found === "function" ? found(...given) : found;
}

/** Makes an element say a word, also when the tongue changes. */
export function say(element, key, ...given) {
  element.dataset.word = key;
  element.dataset.given = JSON.stringify(given);
  const text = word(key, ...given);
  if (element.textContent !== text) element.textContent = text; // said once by screen readers
}

/** Translates the page, or a part of it. */
export function translate(root = document) {
  document.documentElement.lang = tongue.name === "zh" ? "zh-CN" : "en";
  for (const element of root.querySelectorAll("[data-word]")) {
    say(element, element.dataset.word, ...JSON.parse(element.dataset.given ?? "[]"));
  }
  for (const element of root.querySelectorAll("[data-label]")) {
    element.setAttribute("aria-label", word(element.dataset.label));
  }
}
