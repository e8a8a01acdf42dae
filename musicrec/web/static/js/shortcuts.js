/** The keyboard: one list of keys, which `?` shows. Single keys can be switched off, as speech input needs. */

import { h } from "./dom.js";
import { openDialog } from "./dialog.js";
import { keepSetting, setting } from "./kept.js";
import { VIEWS } from "./views.js";

const OFF = "shortcuts_off";
const NAMES = { ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", 1: "1 … 5" };
const shortcuts = []; // {keys, group, text, run}
let first = null; // the key before, of two in a row such as "g f"

/**
 * Add a key.
 * @param {string} keys As in "l", "Shift+?", or "g f" for one after the other.
 * @param {string} group Heading in the list.
 * @param {string} text What it does; "" for a key that the list leaves out.
 * @param {function(KeyboardEvent)} run Returns false where it does not apply.
 * @param {AbortSignal} [signal] Takes it away again.
 */
export function shortcut(keys, group, text, run, signal) {
  const made = { keys, group, text, run };
  const leave = (one) => { if (shortcuts.includes(one)) shortcuts.splice(shortcuts.indexOf(one), 1); };
  leave(shortcuts.find((one) => one.keys === keys && one.text === text)); // of a part that has been drawn anew since
  shortcuts.push(made);
  signal?.addEventListener("abort", () => leave(made), { once: true });
}

const off = () => setting(OFF) === "yes";
const writes = (element) =>
  element.matches?.("input:not([type=range], [type=checkbox], [type=radio]), textarea, select, [contenteditable]");
const NATIVE = { " ": "button, a, summary, input, canvas", Enter: "button, a, summary, input",
  ArrowLeft: "input, canvas, [role=slider]", ArrowRight: "input, canvas, [role=slider]" };

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (writes(event.target) || document.querySelector("dialog[open]")) return;
  if (event.target.matches?.(NATIVE[event.key] ?? "none-of-these")) return;
  if (off() && event.key.length === 1 && event.key !== "?") return;
  const key = event.key === " " ? "Space" : event.key;
  const pair = first && `${first} ${key}`;
  first = null;
  const found = shortcuts.findLast((one) => one.keys === pair) ?? shortcuts.findLast((one) => one.keys === key);
  if (found) {
    if (found.run(event) !== false) event.preventDefault();
  } else if (shortcuts.some((one) => one.keys.startsWith(`${key} `))) {
    first = key;
    setTimeout(() => { first = null; }, 1500);
  }
}

/** Show all keys. */
export function showShortcuts() {
  const groups = Map.groupBy(shortcuts.filter((one) => one.text), (one) => one.group);
  const lists = [...groups].map(([group, ones]) => h("section", {}, h("h3", { text: group }),
    h("dl", { class: "keys" }, ones.map(({ keys, text }) => h("div", {},
      h("dt", {}, keys.split(" ").map((key) => h("kbd", { text: NAMES[key] ?? key }))), h("dd", { text }))))));
  const box = h("input", { type: "checkbox", id: "single-keys", checked: !off(),
    onchange: () => keepSetting(OFF, box.checked ? "no" : "yes") });
  openDialog("Keyboard", [h("div", { class: "key-groups" }, lists),
    h("p", { class: "check" }, box, h("label", { for: "single-keys", text: "Single keys act (switch off for speech input)" }))],
    { wide: true });
}

/** Listen to the keyboard. */
export function startShortcuts() {
  document.addEventListener("keydown", onKey);
  shortcut("?", "Page", "Show this list", showShortcuts);
  for (const [name, { title, key }] of Object.entries(VIEWS)) {
    shortcut(`g ${key}`, "Page", `Go to ${title}`, () => { location.hash = `#/${name}`; });
  }
}
