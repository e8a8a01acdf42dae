/** A dialog over the page. Escape closes it, and the focus returns to where it was. */

import { h, iconButton, newId } from "./dom.js";
import { icon } from "./icons.js";

/**
 * Show a dialog.
 * @param {string} title Its heading.
 * @param {...Node} content What it holds.
 * @returns {{element: HTMLDialogElement, close: function(), closed: Promise}}
 */
export function openDialog(title, content, { must = false, wide = false } = {}) {
  const before = document.activeElement;
  const id = newId("dialog");
  const element = h("dialog", { "aria-labelledby": id, class: wide ? "wide" : "" },
    h("header", {}, h("h2", { id, text: title }), !must && iconButton(icon("close"), "Close", () => element.close())),
    ...[content].flat());
  if (must) element.addEventListener("cancel", (event) => event.preventDefault());
  else element.addEventListener("click", (event) => event.target === element && element.close());
  const closed = new Promise((resolve) => {
    element.addEventListener("close", () => {
      element.remove();
      // The browser gave the focus back when the dialog closed; this event may come after the next keys.
      if (before?.isConnected && document.activeElement === document.body) before.focus();
      resolve();
    });
  });
  document.body.append(element);
  element.showModal();
  element.querySelector("[autofocus]")?.focus();
  return { element, closed, close: () => element.close() };
}

/** Ask for one line of text; resolves to it, or to null. */
export function askText(title, label, { value = "", button = "Save", suggestions = [] } = {}) {
  return new Promise((resolve) => {
    const list = newId("list");
    const input = h("input",
      { type: "text", value, required: true, autofocus: true, id: newId("text"), list, maxlength: 200, autocomplete: "off" });
    let answer = null;
    const form = h("form", { method: "dialog", onsubmit: () => { answer = input.value.trim() || null; } },
      h("div", { class: "field" }, h("label", { for: input.id, text: label }), input),
      h("datalist", { id: list }, suggestions.map((one) => h("option", { value: one }))),
      h("div", { class: "buttons" }, h("button", { class: "primary", text: button })));
    openDialog(title, form).closed.then(() => resolve(answer));
    input.select();
  });
}
