// What the console does beyond what HTML does by itself: live parts, and the keyboard. Every page works without it.

const REFUSED_MS = 5000;

// A part with data-live="/console/stream/…" is replaced by what the stream sends for it, unless somebody is at work in it.
class LivePart {
  constructor(part) {
    this.part = part;
    this.source = null;
    this.waiting = null;
    part.addEventListener("focusout", () => setTimeout(() => this.show(), 0));
    document.addEventListener("visibilitychange", () => this.follow());
    window.addEventListener("pagehide", () => this.close());
    this.follow();
  }

  // Browsers open few connections to one server: a page that nobody sees gives its own back.
  follow() {
    const wanted = document.visibilityState === "visible" && this.part.dataset.paused !== "yes";
    if (!wanted) this.close();
    else if (!this.source) this.open();
  }

  open() {
    this.source = new EventSource(this.part.dataset.live);
    this.source.addEventListener("part", (event) => {
      this.waiting = event.data;
      this.show();
    });
    this.source.addEventListener("append", (event) => {
      this.part.dispatchEvent(new CustomEvent("live-append", { detail: event.data, bubbles: true }));
    });
    this.source.addEventListener("ended", () => this.close());
    this.source.addEventListener("error", () => this.comeBack());
  }

  // A browser gives a stream up for good that was refused once, as by a server that restarts.
  comeBack() {
    if (this.source?.readyState !== EventSource.CLOSED) return;
    this.close();
    setTimeout(() => this.follow(), REFUSED_MS);
  }

  close() {
    this.source?.close();
    this.source = null;
  }

  show() {
    const isInUse = this.part.contains(document.activeElement) || this.part.querySelector("details[open]");
    if (this.waiting === null || isInUse) return;
    this.part.innerHTML = this.waiting;
    this.waiting = null;
  }
}

// g and a letter go to a section, / to the search, ? to the list of keys; a key that stands at a button (data-press) presses it, and up and
// down go through choices.
function keyboard() {
  let isGoing = false;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (isGoing) {
      isGoing = false;
      const link = [...document.querySelectorAll("a[data-key]")].find((each) => each.dataset.key === event.key);
      if (link) location.assign(link.href);
    } else if (press(event.key) || choose(event.key)) {
      event.preventDefault();
    } else if (event.key === "g") {
      isGoing = true;
      setTimeout(() => (isGoing = false), 1500);
    } else if (event.key === "?") {
      const keys = document.getElementById("keys");
      keys.open = true;
      keys.querySelector("summary").focus();
    } else if (event.key === "/") {
      const search = document.querySelector("input[type=search]");
      if (search) {
        event.preventDefault();
        search.focus();
        search.select();
      }
    }
  });
}

function press(key) {
  const button = document.querySelector(`[data-press="${CSS.escape(key)}"]`);
  button?.click();
  return button !== null;
}

function choose(key) {
  const step = { ArrowUp: -1, ArrowDown: 1 }[key];
  const buttons = [...document.querySelectorAll(".choices button")];
  if (!step || !buttons.length) return false;
  const at = buttons.indexOf(document.activeElement);
  buttons[(at < 0 && step < 0 ? 0 : at + step + buttons.length) % buttons.length].focus();
  return true;
}

// A button with data-pause="the id of a live part" holds it still, and lets it go on.
function pauses() {
  for (const button of document.querySelectorAll("[data-pause]")) {
    const part = document.getElementById(button.dataset.pause);
    button.hidden = false;
    button.addEventListener("click", () => {
      const isPaused = part.dataset.paused !== "yes";
      part.dataset.paused = isPaused ? "yes" : "no";
      button.textContent = isPaused ? "Go on" : "Pause";
      button.setAttribute("aria-pressed", String(isPaused));
      liveParts.get(part)?.follow();
    });
  }
}

function isTyping(target) {
  return target instanceof HTMLElement && target.matches("input, textarea, select, [contenteditable]");
}

// One press sends a form once.
function onceEach() {
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.sent === "yes") event.preventDefault();
    else if (form.method === "post") {
      form.dataset.sent = "yes";
      setTimeout(() => delete form.dataset.sent, 3000);
    }
  });
}

export const liveParts = new Map();
for (const part of document.querySelectorAll("[data-live]")) liveParts.set(part, new LivePart(part));
keyboard();
pauses();
onceEach();
