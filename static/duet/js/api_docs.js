// Shows the API's schema with Swagger UI, which comes out of an installed package.
const place = document.getElementById("api");

window.SwaggerUIBundle({
  url: place.dataset.schema,
  domNode: place,
  deepLinking: true,
  // Off: it would send the schema to another host.
  validatorUrl: null,
});
