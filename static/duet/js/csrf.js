// htmx requests carry the CSRF token of a form on the page, where there is one.
// The cookie is never read: it may be out of a script's reach.
document.addEventListener("htmx:configRequest", (event) => {
  const { headers, verb, elt } = event.detail;
  if (verb === "get") return;
  const field = (elt.closest("form") ?? document).querySelector("[name=csrfmiddlewaretoken]");
  if (field) headers["X-CSRFToken"] = field.value;
});
