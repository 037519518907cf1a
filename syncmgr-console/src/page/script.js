// Replaces the parts of the page that have changed when the program says so, at most five times a second.
"use strict";
const state = document.getElementById("state");
let due = false, busy = false;

// Makes `now` equal to `next`, and keeps all elements that are the same: focus and selection stay.
function update(now, next) {
  if (now.nodeType !== next.nodeType || now.nodeName !== next.nodeName || (now.id || "") !== (next.id || "")) {
    now.replaceWith(next.cloneNode(true));
    return;
  }
  if (now.nodeType !== Node.ELEMENT_NODE) {
    if (now.data !== next.data) now.data = next.data;
    return;
  }
  for (const { name } of [...now.attributes]) if (!next.hasAttribute(name)) now.removeAttribute(name);
  for (const { name, value } of next.attributes) if (now.getAttribute(name) !== value) now.setAttribute(name, value);
  const known = new Map([...now.children].filter((child) => child.id).map((child) => [child.id, child]));
  [...next.childNodes].forEach((child, at) => {
    const same = child.id && known.get(child.id);
    if (same && same !== now.childNodes[at]) now.insertBefore(same, now.childNodes[at] || null);
    if (now.childNodes[at]) update(now.childNodes[at], child);
    else now.append(child.cloneNode(true));
  });
  while (now.childNodes.length > next.childNodes.length) now.lastChild.remove();
}

async function refresh() {
  if (!document.getElementById("live")) return;
  if (busy || document.hidden) { due = true; return; }
  busy = true;
  due = false;
  try {
    const answer = await fetch(location.pathname + location.search);
    const next = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("live");
    if (answer.ok && next) update(document.getElementById("live"), next);
  } catch { /* The connection is lost. The page is refreshed once the events come again. */ }
  setTimeout(() => { busy = false; if (due) refresh(); }, 200);
}

const events = new EventSource("./v1/changes?answers=true");
events.onopen = () => { state.textContent = "Live"; refresh(); };
events.onerror = () => {
  const over = events.readyState === EventSource.CLOSED;
  state.textContent = over ? "The program has started anew. Open the page again with: syncmgr web"
    : "The program does not answer. The page may be out of date.";
};
events.onmessage = refresh;
document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
