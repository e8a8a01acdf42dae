/** The view Find: choose or drop a track, see what it is, and what goes with it. */

import { listen } from "./api.js";
import { h, select, show } from "./dom.js";
import { fileButton, hasSent } from "./dropped_files.js";
import { emptyLibrary } from "./empty_library.js";
import { trackName } from "./format.js";
import { icon } from "./icons.js";
import { ask, askById, change, leadTo, mayBePath, query, removeSeed, putFirst, restore, useAsQuery } from "./query_state.js";
import { isEmpty } from "./store.js";
import { report } from "./toast.js";
import { trackPicker } from "./track_picker.js";

const STEPS = [2, 4, 6, 8, 12, 20]; // tracks of a path

let restored = false;

function hint() {
  return h("section", { class: "welcome" },
    h("h2", { text: "Which track are you playing?" }),
    h("p", {}, "Drop an audio file anywhere on this page, or search your library above. ",
      "A file that you drop is analysed and not kept."),
    h("p", { class: "buttons center" }, fileButton("primary large"),
      h("a", { class: "button large", href: "#/library", text: "Browse the library" })),
    h("p", { class: "muted" }, "Press ", h("kbd", { text: "/" }), " to search and ", h("kbd", { text: "?" }), " for all keys."));
}

function endOfPath(track) {
  const name = trackName(track);
  const steps = STEPS.includes(query.steps) ? STEPS : [...STEPS, query.steps];
  return h("li", { class: "chip-of towards" }, h("span", { class: "kind", text: "path to" }), h("span", { class: "name", text: name }),
    select(steps.map((one) => [String(one), `in ${one} tracks`]), String(query.steps), (one) => change({ steps: Number(one) }),
      { "aria-label": "Tracks on the way" }),
    h("button", { type: "button", class: "close", "aria-label": `Remove ${name}`, onclick: () => leadTo(null) }, icon("close")));
}

function chip(track, list, first) {
  const name = trackName(track);
  return h("li", { class: `chip-of ${list}` },
    h("span", { class: "kind", text: list === "unlike" ? "unlike" : first ? "query" : "also like" }),
    list === "seeds" && !first
      ? h("button", { type: "button", class: "name", text: name, title: "Put first: it gives tempo and key",
        onclick: () => putFirst(track) })
      : h("span", { class: "name", text: name }),
    h("button", { type: "button", class: "close", "aria-label": `Remove ${name}`, onclick: () => removeSeed(track, list) }, icon("close")));
}

/** Return what shows a query and its answer. The code is fetched with the first one. */
async function queryParts(signal) {
  const [{ queryPanel }, { querySettings }, { results }] =
    await Promise.all([import("./query_panel.js"), import("./query_settings.js"), import("./results.js")]);
  if (signal.aborted) return [];
  return [queryPanel(signal), h("div", { class: "find-columns" }, querySettings(signal), results(signal))];
}

export async function mount(view, { signal, params }) {
  if (!restored) restore();
  const chips = h("ul", { class: "chips", "aria-label": "Tracks of the query" });
  const uploads = h("ul", { hidden: true });
  const showUploads = async () => {
    const { uploadList } = await import("./uploads.js");
    if (!signal.aborted && uploads.isConnected) uploads.replaceWith(uploadList(signal));
  };
  let parts = null;
  const body = h("div", { class: "find-body" });
  const goOn = () => view.focus({ preventScroll: true }); // out of the field, so that single keys act on the answer
  const picker = trackPicker({ label: "Track to ask about", placeholder: "Search a track to ask about…",
    onpick: (track) => { useAsQuery(track); goOn(); }, key: "/", signal });
  const path = trackPicker({ label: "Path to", placeholder: "Path to another track…", signal,
    onpick: (track) => { leadTo(track); goOn(); } });
  const asking = h("div", { class: "ask" }, picker, fileButton(""), chips, path);
  show(view, h("h1", { class: "unseen", text: "Find" }),
    asking, uploads, body);

  const update = () => {
    show(chips, query.seeds.map((one, i) => chip(one, "seeds", i === 0)), query.unlike.map((one) => chip(one, "unlike")),
      query.towards && endOfPath(query.towards));
    path.hidden = !mayBePath() || Boolean(query.towards);
    asking.hidden = isEmpty();
    chips.hidden = !query.seeds.length && !query.unlike.length;
    const state = isEmpty() ? "empty" : query.seeds.length ? "query" : "hint";
    if (body.dataset.state === state) return;
    body.dataset.state = state;
    if (state === "query") showQuery().catch(report);
    else show(body, state === "empty" ? emptyLibrary() : hint());
  };
  const showQuery = async () => {
    parts ??= queryParts(signal);
    const made = await parts;
    if (body.dataset.state === "query") show(body, ...made);
  };
  update();
  listen("query", update, signal);
  if (hasSent()) showUploads();
  else listen("uploads", showUploads, signal);
  listen("library", update, signal);
  const named = params.get("track");
  if (named) {
    history.replaceState(null, "", "#/find");
    await askById(named);
  } else if (!restored || (query.seeds.length && !query.answer && !query.asking)) await ask();
  restored = true;
}
