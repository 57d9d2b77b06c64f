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
      typography: {
        fontFamily: "system-ui, sans-serif",
        headings: { fontFamily: "system-ui, sans-serif" },
      },
    },
  },
  place,
);
