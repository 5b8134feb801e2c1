// Asks the browser for a passkey and sends its answer with the form. A browser without passkeys, or without this
// module, keeps the button hidden: the PIN and the link by mail do without.
// Markup: practice/_passkey.html.
const ways = {
  create: (options) =>
    navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) }),
  get: (options) =>
    navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) }),
};

const ready = () =>
  globalThis.PublicKeyCredential?.parseCreationOptionsFromJSON && PublicKeyCredential.prototype.toJSON;

const watch = (form) => {
  const failed = form.querySelector("[data-passkey-failed]");
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    failed.hidden = true;
    try {
      const answer = await ways[form.dataset.passkey](JSON.parse(form.dataset.options));
      form.elements.answer.value = JSON.stringify(answer);
      form.submit();
    } catch {
      failed.hidden = false;
    }
  });
};

if (ready()) document.querySelectorAll("form[data-passkey]").forEach(watch);
