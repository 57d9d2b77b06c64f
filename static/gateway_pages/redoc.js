// Starts ReDoc on the gateway's own document.
"use strict";

// Its footer shows a picture from its maker's server, which is asked for in two ways; no request leaves this one.
const own = (url) => (new URL(url, location.href).origin === location.origin ? url : "data:,");
const property = Object.getOwnPropertyDescriptor(HTMLImageElement.prototype, "src");
Object.defineProperty(HTMLImageElement.prototype, "src", {
  ...property,
  set(url) { property.set.call(this, own(url)); },
});
HTMLImageElement.prototype.setAttribute = function (name, value) {
  Element.prototype.setAttribute.call(this, name, name === "src" ? own(value) : value);
};

const place = document.getElementById("redoc");

// All else is mixed from these by ReDoc. Each is read against its ground at 4.5 to 1 or more (WCAG 2.2 AA).
const night = {
  colors: {
    primary: { main: "#8ab4f8" },
    success: { main: "#81c995" },
    warning: { main: "#fdd663" },
    error: { main: "#f28b82" },
    gray: { 50: "#2a2f32", 100: "#2a2f32" },
    text: { primary: "#e4e6e6", secondary: "#b4b9bb" },
    border: { dark: "#5f6568", light: "#3c4144" },
    responses: {
      success: { color: "#81c995", backgroundColor: "#1f2d24", tabTextColor: "#81c995" },
      error: { color: "#f28b82", backgroundColor: "#33211f", tabTextColor: "#f28b82" },
      redirect: { color: "#fdd663", backgroundColor: "#322c1a", tabTextColor: "#fdd663" },
      info: { color: "#8ab4f8", backgroundColor: "#1e2a3c", tabTextColor: "#8ab4f8" },
    },
  },
  schema: {
    linesColor: "#5f6568",
    typeNameColor: "#b4b9bb",
    typeTitleColor: "#8ab4f8",
    requireLabelColor: "#f28b82",
    nestedBackground: "#24292b",
    arrow: { color: "#b4b9bb" },
  },
  typography: {
    code: { color: "#d7aefb", backgroundColor: "#2a2f32" },
    links: { color: "#8ab4f8", visited: "#8ab4f8", hover: "#aecbfa" },
  },
  sidebar: { backgroundColor: "#1c2022", textColor: "#e4e6e6" },
  rightPanel: { backgroundColor: "#14181a", textColor: "#e4e6e6" },
};
const isNight = matchMedia("(prefers-color-scheme: dark)").matches;
document.documentElement.classList.toggle("dark-mode", isNight);
const { typography, ...colors } = isNight ? night : {};

// Headings of every level in their order, for those who move by them.
function mend() {
  place.querySelectorAll("h5:not([aria-level])").forEach((one) => one.setAttribute("aria-level", "3"));
}

new MutationObserver(mend).observe(place, { childList: true, subtree: true });

Redoc.init(
  place.dataset.document,
  {
    // Its search runs in a worker that is made from a blob, which the content policy refuses.
    disableSearch: true,
    nativeScrollbars: true,
    theme: {
      ...colors,
      typography: {
        ...typography,
        fontFamily: "system-ui, sans-serif",
        headings: { fontFamily: "system-ui, sans-serif" },
      },
    },
  },
  place,
);
