/** Messages: one at the corner with the way out, and one for screen readers alone. */

import { tell } from "./api.js";
import { h, iconButton } from "./dom.js";
import { icon } from "./icons.js";

const MOST = 3;

/** Say something to screen readers. */
export function announce(text) {
  const live = document.getElementById("live");
  live.textContent = live.textContent === text ? `${text} ` : text;
}

/**
 * Show a message for a while; errors stay until they are closed.
 * @param {string} text The message.
 * @param {{kind?: "done"|"error", action?: {label: string, run: function}}} [options]
 */
export function toast(text, { kind = "done", action } = {}) {
  const list = document.getElementById("toasts");
  const close = () => made.remove();
  if (kind !== "error") announce(text); // a status that comes with its words is passed over by screen readers
  const made = h("div", { class: `toast ${kind}`, role: kind === "error" ? "alert" : null },
    h("p", { text }),
    action && h("button", { type: "button", class: "quiet", text: action.label, onclick: () => { close(); action.run(); } }),
    iconButton(icon("close"), "Close message", close));
  if (kind === "done") for (const older of list.querySelectorAll(".done")) older.remove(); // the newest is what can be undone
  for (const older of list.children) if (older.querySelector("p").textContent === text) older.remove();
  list.append(made);
  while (list.children.length > MOST) list.firstElementChild.remove();
  if (kind !== "error") setTimeout(function fade() {
    if (made.matches(":hover, :focus-within")) setTimeout(fade, 2000);
    else close();
  }, 7000);
  return close;
}

const NO_MODULE = /dynamically imported module|Importing a module/; // as Chromium and Firefox, and as Safari say it

/** Show an error, unless it is only a request that a newer one replaced. */
export function report(error) {
  if (error instanceof TypeError && NO_MODULE.test(error.message)) return tell("offline"); // a view that was not seen yet
  if (error.name === "AbortError" || error.status === 0) return undefined; // the banner speaks of a server that is silent
  if (!error.status) console.error(error);
  return toast(error.message, { kind: "error" });
}
