/** The view Find: choose or drop a track, see what it is, and what goes with it. */

import { listen } from "./api.js";
import { h, show } from "./dom.js";
import { icon } from "./icons.js";
import { querySettings } from "./query_settings.js";
import { ask, askById, leadTo, mayBePath, query, removeSeed, putFirst, restore } from "./query_state.js";
import { queryPanel } from "./query_panel.js";
import { results } from "./results.js";
import { isEmpty, store } from "./store.js";
import { trackPicker } from "./track_picker.js";
import { fileButton, uploadList } from "./uploads.js";
import { trackName } from "./format.js";
import { useAsQuery } from "./query_state.js";

let restored = false;

/** Return what a new user sees: there is no library yet. */
export function emptyLibrary() {
  return h("section", { class: "welcome" },
    h("h2", { text: "Start with your music" }),
    h("p", { text: "musicrec listens to a folder of music once: tempo, key, energy, tags, and how it sounds. Your files are only read, and nothing leaves this computer." }),
    store.session.can_index
      ? h("button", { type: "button", class: "primary large", onclick: async () => (await import("./index_folder.js")).indexFolder() }, icon("folder"), "Index a folder")
      : h("p", {}, "Index one in a terminal: ", h("code", { text: "musicrec index ~/Music" })),
    h("ol", { class: "steps" }, h("li", { text: "Index a folder. You can go on while it runs." }),
      h("li", { text: "Drop a track here, or pick one: what goes with it?" }),
      h("li", { text: "Like, skip and rate; build a set; export it for your decks." })));
}

function hint() {
  return h("section", { class: "welcome" },
    h("h2", { text: "Which track are you playing?" }),
    h("p", { text: "Drop an audio file anywhere on this page, or search your library above. A file that you drop is analysed and not kept." }),
    h("p", { class: "buttons center" }, fileButton("primary large"), h("a", { class: "button large", href: "#/library", text: "Browse the library" })),
    h("p", { class: "muted" }, "Press ", h("kbd", { text: "/" }), " to search and ", h("kbd", { text: "?" }), " for all keys."));
}

function endOfPath(track) {
  const name = trackName(track);
  return h("li", { class: "chip-of towards" }, h("span", { class: "kind", text: "path to" }), h("span", { class: "name", text: name }),
    h("button", { type: "button", class: "close", "aria-label": `Remove ${name}`, onclick: () => leadTo(null) }, icon("close")));
}

function chip(track, list, first) {
  const name = trackName(track);
  return h("li", { class: `chip-of ${list}` },
    h("span", { class: "kind", text: list === "unlike" ? "unlike" : first ? "query" : "also like" }),
    list === "seeds" && !first
      ? h("button", { type: "button", class: "name", text: name, title: "Put first: it gives tempo and key", onclick: () => putFirst(track) })
      : h("span", { class: "name", text: name }),
    h("button", { type: "button", class: "close", "aria-label": `Remove ${name}`, onclick: () => removeSeed(track, list) }, icon("close")));
}

export async function mount(view, { signal, params }) {
  if (!restored) restore();
  const chips = h("ul", { class: "chips", "aria-label": "Tracks of the query" });
  const uploads = uploadList(signal);
  const panel = queryPanel(signal);
  const found = results(signal);
  const body = h("div", { class: "find-body" });
  const settings = querySettings(signal);
  const picker = trackPicker({ label: "Track to ask about", placeholder: "Search a track to ask about…", onpick: (track) => useAsQuery(track), key: "/", signal });
  const path = trackPicker({ label: "Path to", placeholder: "Path to another track…", onpick: leadTo, signal });
  const asking = h("div", { class: "ask" }, picker, fileButton(""), chips, path);
  show(view, h("h1", { class: "unseen", text: "Find" }),
    asking, uploads, body);

  const update = () => {
    show(chips, query.seeds.map((one, i) => chip(one, "seeds", i === 0)), query.unlike.map((one) => chip(one, "unlike")), query.towards && endOfPath(query.towards));
    path.hidden = !mayBePath() || Boolean(query.towards);
    asking.hidden = isEmpty();
    chips.hidden = !query.seeds.length && !query.unlike.length;
    const state = isEmpty() ? "empty" : query.seeds.length ? "query" : "hint";
    if (body.dataset.state === state) return;
    body.dataset.state = state;
    if (state === "query") show(body, panel, h("div", { class: "find-columns" }, settings, found));
    else show(body, state === "empty" ? emptyLibrary() : hint());
  };
  update();
  listen("query", update, signal);
  listen("library", update, signal);
  const named = params.get("track");
  if (named) {
    history.replaceState(null, "", "#/find");
    await askById(named);
  } else if (!restored || (query.seeds.length && !query.answer)) await ask();
  restored = true;
}
