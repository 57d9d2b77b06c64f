// Starts ReDoc on the gateway's own document.
"use strict";

// Its footer shows a picture from its maker's server: no request leaves this one.
HTMLImageElement.prototype.setAttribute = function (name, value) {
  const isElsewhere = name === "src" && new URL(value, location.href).origin !== location.origin;
  Element.prototype.setAttribute.call(this, name, isElsewhere ? "data:," : value);
};

const place = document.getElementById("redoc");
Redoc.init(
  place.dataset.document,
  {
    // Its search runs in a worker that is made from a blob, which the content policy refuses.
    disableSearch: true,
    hideDownloadButton: false,
    nativeScrollbars: true,
    theme: { typography: { fontFamily: "system-ui, sans-serif", headings: { fontFamily: "system-ui, sans-serif" } } },
  },
  place,
);
