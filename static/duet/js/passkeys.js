// Ties django-allauth's passkey functions to our forms. A page without passkeys keeps its button hidden.
const form = document.querySelector("form[data-passkey]");
const button = document.getElementById("passkey-button");
if (form && button && window.PublicKeyCredential) {
  const ids = {
    [form.dataset.passkey]: button.id,
    credential: "passkey-credential",
    passwordless: "id_passwordless",
    data: "passkey-data",
  };
  window.allauth.webauthn.forms[`${form.dataset.passkey}Form`]({ ids });
  button.hidden = false;
  document.addEventListener("allauth.error", (event) => {
    event.preventDefault();
    form.querySelector("[data-passkey-failed] > *").hidden = false;
  });
}
