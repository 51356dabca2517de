// Keeps an open page up to date and saves reloads. Everything works without it.
"use strict";

const project = document.querySelector("[data-live]");

function every(selector, act, root = document) {
  root.querySelectorAll(selector).forEach(act);
}

// The loop at a glance: texts and the bar as they change; all parts of the page when something has happened.

async function look() {
  const answer = await fetch(project.dataset.live, { headers: { Accept: "application/json" } });
  if (!answer.ok) return false;
  const live = await answer.json();
  if (live.signature !== project.dataset.signature) await renew();
  every("[data-text]", (element) => {
    const text = live.texts[element.dataset.text];
    if (text !== undefined && element.textContent !== text) element.textContent = text;
  });
  const bar = document.getElementById("progress");
  if (bar && live.progress !== null) bar.value = live.progress;
  every("#share .filled", (part) => part.setAttribute("width", `${100 * live.share}%`));
  return bar !== null;
}

// What is being typed or read (Try it, an open question) stays as it is.
async function renew() {
  if (document.querySelector(":popover-open")) return;
  const answer = await fetch(location.pathname, { headers: { Accept: "text/html" } });
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const names = (root) => [...root.querySelectorAll("[data-part]")].map((part) => part.id).join();
  if (names(page) !== names(document)) return location.reload();
  const focused = document.activeElement && document.activeElement.id;
  const opened = [...document.querySelectorAll("[data-part]")].filter((part) => part.querySelector("details[open]"));
  every("[data-part]", (part) => {
    const fresh = page.getElementById(part.id);
    if (!fresh) return;
    if (opened.includes(part)) every("details", (each) => { each.open = true; }, fresh);
    part.replaceWith(document.adoptNode(fresh));
  });
  if (focused && document.activeElement === document.body) {
    const again = document.getElementById(focused) || document.querySelector("#loop h1");
    if (again) {
      if (again.tagName === "H1") again.tabIndex = -1;
      again.focus({ preventScroll: true });
    }
  }
  const fresh = page.querySelector("[data-live]");
  if (fresh) project.dataset.signature = fresh.dataset.signature;
}

async function keepLooking() {
  let running = false;
  if (!document.hidden) {
    try {
      running = await look();
    } catch {
      // The service is being restarted: the next look may succeed.
    }
  }
  setTimeout(keepLooking, running ? 1500 : 6000);
}

if (project) setTimeout(keepLooking, document.getElementById("progress") ? 1500 : 6000);

// Try it, without leaving the page.

const form = document.getElementById("try-form");
const tried = document.getElementById("tried");

if (form && tried) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    const asked = new FormData(form);
    asked.set("fragment", "yes");
    button.disabled = true;
    try {
      const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(asked) });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const found = answer.ok ? page.body : page.querySelector("main .lead");
      tried.replaceChildren(...(answer.ok ? found.childNodes : [found]));
    } catch {
      tried.textContent = "The service does not answer: try again in a moment.";
    }
    button.disabled = false;
    button.focus();
  });
}

// Exports take a while before the download starts.

every("[data-waits]", (group) => {
  group.addEventListener("submit", () => {
    document.getElementById("waiting").textContent = group.dataset.waits;
  });
});
