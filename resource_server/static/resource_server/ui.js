// The page works without this file. It adds buttons that copy, and fetches the page again while somebody looks at it.
"use strict";

const EVERY_MS = 30_000;
const MOST_TIMES = 60; // a page that is left open must not keep its session alive for ever
let times = 0;

function copy(button) {
  const said = document.querySelector("[data-said]");
  navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent).then(
    () => { said.textContent = "Copied."; button.classList.add("done"); setTimeout(() => button.classList.remove("done"), 2000); },
    () => { said.textContent = "The browser does not allow to copy."; },
  );
}

function findOpen(live) {
  return [...live.querySelectorAll("details")].map((details) => details.open);
}

async function refresh() {
  const live = document.querySelector("[data-live]");
  const said = document.querySelector("[data-refreshed]");
  if (document.hidden || live.contains(document.activeElement)) { return; } // nobody looks, or the focus would be lost
  times += 1;
  try {
    const answer = await fetch(location.pathname, { redirect: "error", cache: "no-store" });
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-live]");
    if (!answer.ok || fresh === null) { throw new Error(`status ${answer.status}`); }
    const open = findOpen(live);
    live.replaceWith(document.importNode(fresh, true));
    document.querySelectorAll("[data-live] details").forEach((details, index) => { details.open = Boolean(open[index]); });
    said.textContent = `Refreshed at ${new Date().toLocaleTimeString()}.`;
  } catch {
    said.textContent = "The page could not be refreshed: what it shows may be old.";
  }
  if (times >= MOST_TIMES) { said.textContent += " It is not refreshed any more: reload it to go on."; }
  said.hidden = false;
}

if (navigator.clipboard) {
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", () => copy(button));
  }
}
const timer = setInterval(() => { if (times < MOST_TIMES) { refresh(); } else { clearInterval(timer); } }, EVERY_MS);
