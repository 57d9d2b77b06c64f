// What the admin's own pages do in the browser: copy a secret, keep a reload from sending a form again, and
// bring unfold's controls that only a mouse could reach to the keyboard and to screen readers.

// The content policy lets neither in, and nothing here needs them.
htmx.config.includeIndicatorStyles = false;
htmx.config.allowEval = false;

const NAMES = [
  ["openActionsId", "Actions"],
  ["openUserLinks", "Your account"],
  ["openTheme", "Theme"],
  ["opencommand", "Search"],
  ["sidebar", "Sidebar"],
  ["filterOpen = false", "Close the filters"],
  ["filterOpen = true", "Filters"],
  ["showPassword", "Show the password"],
];

function nameOf(control) {
  const code = control.getAttribute("x-on:click");
  return NAMES.find(([part]) => code.includes(part))?.[1];
}

function reachByKeyboard() {
  for (const control of document.querySelectorAll("span[x-on\\:click], div[x-on\\:click], a[x-on\\:click]:not([href])")) {
    if (control.hasAttribute("role") || control.childElementCount + control.textContent.trim().length === 0) {
      continue;
    }
    control.setAttribute("role", "button");
    control.tabIndex = 0;
    const name = nameOf(control);
    if (name) {
      control.setAttribute("aria-label", name);
    }
    control.addEventListener("keydown", (event) => {
      if (event.target === control && (event.key === "Enter" || event.key === " ")) {
        event.preventDefault();
        control.click();
      }
    });
  }
}

async function copy(field, told) {
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
    told.textContent = "Copied.";
  } catch {
    // Without https there is no clipboard; the older way works everywhere.
    told.textContent = document.execCommand("copy") ? "Copied." : "It is selected: copy it with Ctrl-C.";
  }
}

document.addEventListener("DOMContentLoaded", () => {
  const page = document.querySelector("[data-replace-address]");
  if (page) {
    history.replaceState(null, "", page.dataset.replaceAddress);
  }
  for (const button of document.querySelectorAll("[data-copy]")) {
    const field = document.getElementById(button.dataset.copy);
    field.addEventListener("focus", () => field.select());
    button.addEventListener("click", () => copy(field, document.getElementById("pgw-copied")));
  }
});
document.addEventListener("alpine:init", () => {
  // As text, Alpine would write a style attribute, which the content policy does not let in.
  document.getElementById("changelist-actions")?.setAttribute("x-bind:style", "{ width: changeListWidth + 'px' }");
});
document.addEventListener("alpine:initialized", reachByKeyboard);
