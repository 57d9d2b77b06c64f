// Starts Swagger UI on the gateway's own document: "Authorize" takes a key, "Try it out" calls this server.
"use strict";

SwaggerUIBundle({
  url: document.getElementById("swagger-ui").dataset.document,
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  // Nothing of the document is sent to a validator elsewhere.
  validatorUrl: null,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  tryItOutEnabled: true,
  // A key outlives a reload in this browser only for whoever asks for that; it is not kept here.
  persistAuthorization: false,
  syntaxHighlight: false,
});
