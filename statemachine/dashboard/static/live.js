// Keeps an open page true: when something is committed that it shows, its parts are fetched anew and laid over.
// A part in which somebody types, or has a form open, is left alone. Without this file the pages work, and are not live.
"use strict";

(() => {
  const sign = document.getElementById("live");
  const run = document.body.dataset.run;
  let waiting = null;
  let busy = false;
  let again = false;

  const say = (word, on) => {
    sign.textContent = word;
    sign.classList.toggle("on", on);
  };

  const used = (part) =>
    part.querySelector("details.event[open]") !== null ||
    (part.contains(document.activeElement) && document.activeElement.matches("input, select, textarea"));

  const lay = (fresh) => {
    for (const part of document.querySelectorAll("[data-live]")) {
      const other = fresh.getElementById(part.id);
      if (!other || used(part) || part.innerHTML === other.innerHTML) continue;
      const open = [...part.querySelectorAll("details[open][id]")].map((one) => one.id);
      const shut = [...part.querySelectorAll("details:not([open])[id]")].map((one) => one.id);
      const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
      part.replaceChildren(...[...other.childNodes].map((one) => document.adoptNode(one)));
      for (const id of open) document.getElementById(id)?.setAttribute("open", "");
      for (const id of shut) document.getElementById(id)?.removeAttribute("open");
      if (focused) document.getElementById(focused)?.focus();
    }
    // Parts that were not there before (a first error, a first attempt), or are not any more.
    const here = new Set([...document.querySelectorAll("[data-live]")].map((one) => one.id));
    const there = [...fresh.querySelectorAll("main [data-live]")].map((one) => one.id);
    if (there.some((id) => !here.has(id)) && !document.querySelector("details.event[open]")) location.reload();
  };

  const look = async () => {
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    try {
      const url = new URL(location.href);
      url.searchParams.delete("said");
      const answer = await fetch(url, { credentials: "same-origin", headers: { accept: "text/html" } });
      if (answer.ok) lay(new DOMParser().parseFromString(await answer.text(), "text/html"));
    } catch {
      say("not live", false);
    } finally {
      busy = false;
      if (again) {
        again = false;
        soon();
      }
    }
  };

  const soon = () => {
    if (waiting === null) {
      waiting = setTimeout(() => {
        waiting = null;
        look();
      }, 250);
    }
  };

  if (!document.querySelector("[data-live]")) return;
  const events = new EventSource(document.body.dataset.events);
  events.addEventListener("open", () => {
    say("live", true);
    soon(); // what was committed between the page and this line, or while there was none
  });
  events.addEventListener("error", () => say("not live", false));
  events.addEventListener("behind", soon);
  events.addEventListener("entry", (event) => {
    if (!run || JSON.parse(event.data).run === run) soon();
  });
})();
