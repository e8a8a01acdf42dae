/** A field that finds a track of the library while one types. */

import { get } from "./api.js";
import { keyPill } from "./camelot.js";
import { h, later, newId, show } from "./dom.js";
import { counted, fixed, trackName } from "./format.js";
import { shortcut } from "./shortcuts.js";
import { learn } from "./store.js";
import { announce, report } from "./toast.js";

const SHOWN = 8;

/**
 * Return the field.
 * @param {{label: string, placeholder?: string, onpick: function(object), key?: string, signal?: AbortSignal, keep?: boolean}} options
 *   `key` focuses it; `keep` leaves the name of the track in it.
 */
export function trackPicker({ label, placeholder = "Search…", onpick, key, signal, keep = false }) {
  const id = newId("picker");
  const input = h("input", { type: "search", role: "combobox", "aria-label": label, "aria-expanded": "false", "aria-controls": id,
    "aria-autocomplete": "list", placeholder, autocomplete: "off", spellcheck: "false" });
  const list = h("ul", { class: "options", role: "listbox", id, "aria-label": label, hidden: true });
  let found = [];
  let at = -1;
  let changed = false; // whether the list answers other words than those in the field
  let pickFirst = false; // whether Enter came before the answer
  let asking = new AbortController();

  const close = () => {
    search.cancel();
    asking.abort();
    changed = pickFirst = false;
    list.hidden = true;
    at = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };
  const pick = (track) => {
    input.value = keep ? trackName(track) : "";
    close();
    onpick(track);
  };
  const mark = (place) => {
    at = place;
    [...list.children].forEach((one, i) => one.setAttribute("aria-selected", String(i === at)));
    if (list.children[at]) {
      input.setAttribute("aria-activedescendant", list.children[at].id);
      list.children[at].scrollIntoView({ block: "nearest" });
    }
  };
  const find = async () => {
    asking.abort();
    asking = new AbortController();
    const { signal: dropped } = asking;
    const text = input.value.trim();
    if (!text) return close();
    try {
      const page = await get("tracks", { search: text, limit: SHOWN }, { signal: dropped });
      if (dropped.aborted) return undefined;
      found = learn(page.tracks);
      changed = input.value.trim() !== text;
      if (pickFirst && found.length) return pick(found[0]);
      pickFirst = false;
      if (document.activeElement !== input) return close();
      show(list, found.map((track, i) => h("li", { role: "option", id: `${id}-${i}`, "aria-selected": "false",
        onpointerdown: (event) => { event.preventDefault(); pick(track); } },
      h("span", { class: "name", text: trackName(track) }), h("span", { class: "bpm", text: fixed(track.bpm) }),
      keyPill(track.camelot, track.key))),
      !found.length && h("li",
        { role: "option", "aria-disabled": "true", "aria-selected": "false", class: "muted",
          text: "No track of the library has these words." }));
      list.hidden = false;
      input.setAttribute("aria-expanded", "true");
      mark(found.length ? 0 : -1);
      announce(counted(page.total));
    } catch (error) {
      if (!dropped.aborted) pickFirst = false;
      report(error);
    }
    return undefined;
  };
  const search = later(find, 120);
  const enter = () => {
    if (changed && input.value.trim()) {
      if (pickFirst) return true;
      pickFirst = true;
      search.cancel();
      find();
    } else if (!list.hidden && found[at]) pick(found[at]);
    else return false;
    return true;
  };

  input.addEventListener("input", () => {
    changed = true;
    pickFirst = false;
    search();
  });
  input.addEventListener("blur", () => pickFirst || close());
  input.addEventListener("keydown", (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by && found.length && !list.hidden) mark((at + by + found.length) % found.length);
    else if (event.key === "Escape" && !list.hidden) close();
    else if (event.key === "Escape" && !input.value) input.blur(); // single keys act again
    else if (event.key !== "Enter" || event.isComposing || !enter()) return;
    event.preventDefault();
    event.stopPropagation();
  });
  if (key) shortcut(key, "Page", "Search", () => {
    if (!input.isConnected) return false;
    input.focus();
    input.select();
    return true;
  }, signal);
  return h("div", { class: "picker" }, input, list);
}
