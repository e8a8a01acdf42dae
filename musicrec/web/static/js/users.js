/** Who is here: choosing a person, with a PIN where they have one, and adding people. */

import { post, remove, tell } from "./api.js";
import { openDialog } from "./dialog.js";
import { field, h, show } from "./dom.js";
import { readSession, store } from "./store.js";
import { announce } from "./toast.js";

/** Show the dialog of people; resolves once somebody was chosen, or it was closed. */
export function chooseUser({ must = false } = {}) {
  const wrong = h("p", { class: "error", role: "alert" });
  const { names, needs_pin: needsPin, user } = store.session;
  const name = h("input",
    { type: "text", required: true, maxlength: 100, list: "people", autocomplete: "off", value: "", autofocus: true });
  const pin = h("input", { type: "password", inputmode: "numeric", autocomplete: "off", required: needsPin });
  const enter = async (path) => {
    show(wrong);
    try {
      const secret = pin.value || null;
      await post(path, path === "users" ? { name: name.value.trim(), pin: secret } : { user: name.value.trim(), pin: secret });
      await readSession();
      dialog.close();
      tell("user", store.session.user);
      announce(`You are ${store.session.user}`);
    } catch (error) {
      show(wrong, error.message);
    }
  };
  const form = h("form", { onsubmit: (event) => { event.preventDefault(); enter("session"); } },
    user && h("p", {}, "You are ", h("strong", { text: user }), "."),
    h("div", { class: "people" }, names.map((one) => h("button", { type: "button", class: "chip", text: one,
      "aria-pressed": String(one === user), onclick: () => { name.value = one; (needsPin ? pin : go).focus(); } }))),
    field("Name", name), h("datalist", { id: "people" }, names.map((one) => h("option", { value: one }))),
    field(needsPin ? "PIN" : "PIN, if you have one", pin), wrong);
  const go = h("button", { class: "primary", text: "Continue" });
  const add = h("button", { type: "button", text: "I am new", onclick: () => form.reportValidity() && enter("users") });
  const leave = async () => {
    try {
      await remove("session");
      await readSession();
      dialog.close();
      location.reload(); // what is on the page is of who was here
    } catch (error) {
      show(wrong, error.message);
    }
  };
  form.append(h("div", { class: "buttons" },
    user && h("button", { type: "button", class: "quiet", text: "Sign out", onclick: leave }), add, go));
  const dialog = openDialog("Who is listening?", form, { must });
  return dialog.closed;
}
