// Starts Swagger UI on the gateway's own document: "Authorize" takes a key, "Try it out" calls this server.
"use strict";

// By night as the system has it.
const night = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", night.matches);
night.addEventListener("change", follow);
follow();

const place = document.getElementById("swagger-ui");

// What those who use a keyboard or a screen reader need and Swagger UI leaves out.
const named = (name) => (one) => one.setAttribute("aria-label", name);
const level = (number) => (one) => one.setAttribute("aria-level", number);

function nameOfItsRow(one) {
  const name = one.closest("tr")?.dataset.paramName;
  one.setAttribute("aria-label", name ?? "Value");
}

const mends = {
  // A link inside of a button: the button opens what the link would.
  ".opblock-summary-control a[href]": (one) => one.removeAttribute("href"),
  "select#servers:not([aria-label])": named("Server"),
  ".examples-select-element:not([aria-label])": named("Example"),
  ".parameters select:not([aria-label]), .parameters-col_description input:not([aria-label])": nameOfItsRow,
  ".parameters-col_description textarea:not([aria-label])": nameOfItsRow,
  "textarea.body-param__text:not([aria-label])": named("Body of the request"),
  "select:not([aria-label]):not([id])": named("Choice"),
  ".close-modal:not([aria-label])": named("Close"),
  // It has a text, which is what people see and say.
  ".auth-btn-wrapper [aria-label]": (one) => one.removeAttribute("aria-label"),
  "pre.microlight:not([tabindex])": (one) => { one.tabIndex = 0; },
  "table[role=region]": (one) => one.removeAttribute("role"),
  "h3.opblock-tag:not([aria-level]), .modal-ux-header h3:not([aria-level]), .models h4:not([aria-level])": level(2),
  ".opblock-body h4:not([aria-level]), .modal-ux-content h4:not([aria-level])": level(3),
  ".opblock-body h5:not([aria-level])": level(4),
  ".information-container:not([role])": (one) => {
    one.setAttribute("role", "region");
    one.setAttribute("aria-label", "About the API");
  },
  ".scheme-container:not([role])": (one) => {
    one.setAttribute("role", "region");
    one.setAttribute("aria-label", "Server and credentials");
  },
  ".dialog-ux .modal-ux:not([role])": (one) => {
    one.setAttribute("role", "dialog");
    one.setAttribute("aria-modal", "true");
    one.setAttribute("aria-label", "Available authorizations");
  },
};

function mend() {
  for (const [selector, apply] of Object.entries(mends)) place.querySelectorAll(selector).forEach(apply);
}

new MutationObserver(mend).observe(place, { childList: true, subtree: true });

SwaggerUIBundle({
  url: place.dataset.document,
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  tryItOutEnabled: true,
  // Its colours of code are too dark to be read on their ground.
  syntaxHighlight: false,
  // Nothing of the document is sent to a validator elsewhere.
  validatorUrl: null,
  // A key is forgotten when the page is left.
  persistAuthorization: false,
});
