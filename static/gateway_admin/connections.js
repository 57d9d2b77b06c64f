// Keeps the page of connections fresh: every few seconds, but never under the hands of who works with it.

const EVERY_MS = 5000;
const PATIENCE_MS = 10000;

const found = document.getElementById("pgw-found");
const live = document.getElementById("pgw-live");
const button = document.getElementById("pgw-disconnect");
let isOver = false;
let isAsking = false;

const boxes = () => [...found.querySelectorAll('input[name="connection"]')];
const chosen = () => boxes().filter((box) => box.checked);

// Why the list must stay as it is; empty where it may change.
function reasonToWait() {
  if (chosen().length > 0) {
    return "Paused while rows are chosen";
  }
  if (found.querySelector("details[open]")) {
    return "Paused while symbols are shown";
  }
  const selection = document.getSelection();
  if (selection && !selection.isCollapsed && found.contains(selection.anchorNode)) {
    return "Paused while text is selected";
  }
  return found.contains(document.activeElement) && document.activeElement.matches("a, input, summary")
    ? "Paused while the list is used"
    : "";
}

function tell(note) {
  const text = [note, `as of ${found.firstElementChild.dataset.at} UTC`].filter(Boolean).join(", ");
  // Not for screen readers every five seconds: only what is out of the ordinary is read out.
  live.setAttribute("aria-live", note ? "polite" : "off");
  live.textContent = text.charAt(0).toUpperCase() + text.slice(1);
}

function dress() {
  const all = document.getElementById("pgw-all");
  const [every, some] = [boxes(), chosen()];
  if (all) {
    all.hidden = false;
    all.checked = every.length > 0 && some.length === every.length;
    all.indeterminate = some.length > 0 && some.length < every.length;
  }
  if (button) {
    button.hidden = every.length === 0;
    button.disabled = some.length === 0;
    button.textContent = some.length ? `Disconnect ${some.length}…` : "Disconnect…";
  }
}

function show(html) {
  const page = new DOMParser().parseFromString(html, "text/html");
  const part = page.querySelector("[data-found]");
  if (!part) {
    return false;
  }
  const left = found.querySelector(".pgw-connections")?.closest(".pgw-scroll")?.scrollLeft ?? 0;
  found.replaceChildren(part);
  const region = found.querySelector(".pgw-connections")?.closest(".pgw-scroll");
  if (region) {
    region.scrollLeft = left;
  }
  dress();
  return true;
}

async function refresh(isByHand) {
  if (isOver || isAsking || (!isByHand && document.hidden)) {
    return;
  }
  const reason = isByHand ? "" : reasonToWait();
  if (reason) {
    tell(reason);
    return;
  }
  isAsking = true;
  let note = "";
  try {
    const response = await fetch(found.dataset.part, {
      signal: AbortSignal.timeout(PATIENCE_MS),
      credentials: "same-origin",
      redirect: "manual",
    });
    const html = response.type === "opaqueredirect" ? "" : await response.text();
    if (response.type === "opaqueredirect" || response.status === 403) {
      isOver = true;
      note = "You are logged out, or may not look any more: reload the page";
    } else if (!isByHand && reasonToWait()) {
      note = reasonToWait(); // somebody took hold of the list meanwhile
    } else if (!show(html)) {
      note = "The server does not answer as it should";
    }
  } catch {
    note = "The server cannot be reached";
  } finally {
    isAsking = false;
  }
  tell(note);
}

found.addEventListener("change", (event) => {
  if (event.target.id === "pgw-all") {
    for (const box of boxes()) {
      box.checked = event.target.checked;
    }
  }
  dress();
  tell(reasonToWait());
});
document.getElementById("pgw-refresh").addEventListener("click", (event) => {
  if (!isOver) {
    event.preventDefault();
    refresh(true);
  }
});
document.addEventListener("visibilitychange", () => refresh(false));
// A page that the browser brings back may come with rows chosen.
window.addEventListener("pageshow", dress);
setInterval(() => refresh(false), EVERY_MS);
dress();
tell("");
