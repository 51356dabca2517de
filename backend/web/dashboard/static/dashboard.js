// Updates an open page without a reload. Everything works without it.
"use strict";

const project = document.querySelector("[data-live]");

function forEach(selector, action, root = document) {
  root.querySelectorAll(selector).forEach(action);
}

// The state of the loop: texts and bars are updated as they change, the sections when the signature changes.

async function update() {
  const answer = await fetch(project.dataset.live, { headers: { Accept: "application/json" } });
  if (!answer.ok) return false;
  const live = await answer.json();
  if (live.signature !== project.dataset.signature) await replaceSections();
  forEach("[data-text]", (element) => {
    const text = live.texts[element.dataset.text];
    if (text !== undefined && element.textContent !== text) element.textContent = text;
  });
  const bar = document.getElementById("progress");
  if (bar && live.progress !== null) bar.value = live.progress;
  const review = document.getElementById("review-progress");
  if (review && live.review !== null) review.value = live.review;
  forEach("#share .filled", (rectangle) => rectangle.setAttribute("width", `${100 * live.share}%`));
  forEach("[data-task-share]", (rectangle) => {
    rectangle.setAttribute("width", `${100 * live["task-shares"][rectangle.dataset.taskShare]}%`);
  });
  return bar !== null || review !== null;
}

// Sections without data-part (Try it) and open questions stay as they are: somebody is typing or reading there.
async function replaceSections() {
  if (document.querySelector(":popover-open")) return;
  const answer = await fetch(location.pathname, { headers: { Accept: "text/html" } });
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const names = (root) => [...root.querySelectorAll("[data-part]")].map((part) => part.id).join();
  if (names(page) !== names(document)) return location.reload();
  const focused = document.activeElement && document.activeElement.id;
  const opened = [...document.querySelectorAll("[data-part]")].filter((part) => part.querySelector("details[open]"));
  forEach("[data-part]", (part) => {
    const replacement = page.getElementById(part.id);
    if (!replacement) return;
    if (opened.includes(part)) forEach("details", (details) => { details.open = true; }, replacement);
    part.replaceWith(document.adoptNode(replacement));
  });
  restoreFocus(focused);
  const updated = page.querySelector("[data-live]");
  if (updated) project.dataset.signature = updated.dataset.signature;
}

function restoreFocus(id) {
  if (!id || document.activeElement !== document.body) return;
  const element = document.getElementById(id) || document.querySelector("#loop h1");
  if (!element) return;
  if (element.tagName === "H1") element.tabIndex = -1;
  element.focus({ preventScroll: true });
}

const RUNNING_INTERVAL = 1500;
const IDLE_INTERVAL = 6000;

async function poll() {
  let running = false;
  if (!document.hidden) {
    try {
      running = await update();
    } catch {
      // The service is restarting: the next update may succeed.
    }
  }
  setTimeout(poll, running ? RUNNING_INTERVAL : IDLE_INTERVAL);
}

if (project) setTimeout(poll, document.getElementById("progress") ? RUNNING_INTERVAL : IDLE_INTERVAL);

// Try it, without leaving the page.

const form = document.getElementById("try-form");
const results = document.getElementById("try-results");

const text = document.getElementById("try-text");
const limit = document.getElementById("try-limit");

function countCharacters() {
  const max = Number(text.dataset.maxCharacters);
  const count = [...text.value].length; // code points, as the service counts them
  const over = count - max;
  limit.textContent = `${count.toLocaleString("en")} of at most ${max.toLocaleString("en")} characters`
    + (over > 0 ? `: remove ${over.toLocaleString("en")}.` : ".");
  limit.classList.toggle("strong", over > 0);
}

if (text && limit) {
  text.addEventListener("input", countCharacters);
  if (text.value) countCharacters();
}

if (form && results) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    const fields = new FormData(form);
    fields.set("fragment", "yes");
    button.disabled = true;
    try {
      const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(fields) });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      results.replaceChildren(...(answer.ok ? page.body.childNodes : [page.querySelector("main .lead")]));
    } catch {
      results.textContent = "The service does not answer: try again in a moment.";
    }
    button.disabled = false;
    button.focus();
  });
}

// Exports take a while before the download starts.

forEach("[data-waits]", (group) => {
  group.addEventListener("submit", () => {
    document.getElementById("waiting").textContent = group.dataset.waits;
  });
});
