/** The view Sets: a set along an energy curve, in an order that one can change, with its transitions explained. */

import { get, listen, post, trackPath } from "./api.js";
import { field, h, keepFocus, select, show } from "./dom.js";
import { energyCurve } from "./energy_curve.js";
import { exportTracks } from "./export_dialog.js";
import { addToPlaylist } from "./feedback.js";
import { emptyLibrary } from "./empty_library.js";
import { counted, fixed, trackName } from "./format.js";
import { icon } from "./icons.js";
import { fromTab, keepInTab } from "./kept.js";
import { play } from "./player.js";
import { setChart } from "./set_chart.js";
import { rowOfSetTrack, setList } from "./set_list.js";
import { isEmpty, learn } from "./store.js";
import { announce, report, toast } from "./toast.js";
import { trackPicker } from "./track_picker.js";

const RULES = [["default", "key lock"], ["vinyl", "vinyl: the tempo moves the key"], ["harmonic", "harmonic: key above all"]];

const MOST_BACK = 50; // changes that can be taken back

// What is asked and what was made. It is kept while the tab is open, also when the page is loaded again.
const state = { start: null, end: null, unit: "tracks", tracks: 10, minutes: 60, rules: "default", curve: null, made: null,
  locked: new Set(), banned: [], before: [] };
listen("user", () => {
  Object.assign(state, { start: null, end: null, made: null, locked: new Set(), banned: [], before: [] });
  keep();
});

function keep() {
  const { before: _, locked, ...rest } = state;
  keepInTab("set", { ...rest, locked: [...locked] });
}

function restore() {
  const { locked = [], ...rest } = fromTab("set") ?? {};
  Object.assign(state, rest, { locked: new Set(locked) });
}
restore();

function chosenTrack(track, onclear) {
  return h("span", { class: "chip-of" }, h("span", { class: "name", text: trackName(track) }),
    h("button", { type: "button", class: "close", "aria-label": `Remove ${trackName(track)}`, onclick: onclear }, icon("close")));
}

export async function mount(view, { signal, params }) {
  if (isEmpty()) {
    show(view, h("h1", { class: "unseen", text: "Sets" }), emptyLibrary());
    return;
  }
  const named = params.get("start");
  if (named) {
    try {
      [state.start] = learn([await get(trackPath(named), {}, { signal })]);
    } catch (error) {
      report(error);
    }
    if (signal.aborted) return; // another view is shown by now
    history.replaceState(null, "", "#/sets");
  }
  const curve = energyCurve(state.curve, signal, (drawn) => { state.curve = drawn; keep(); });
  const result = h("section", { class: "set-result", "aria-label": "The set" });
  const ends = h("div", { class: "set-form" });
  const size = h("div", { class: "field" });
  const go = h("button", { type: "submit", class: "primary large", text: "Build the set" });
  const seconds = h("span", { class: "muted" });
  const doing = h("div", { class: "building", hidden: true }, h("span", {}, h("progress", { "aria-label": "Building the set" }), seconds),
    h("button", { type: "button", text: "Cancel", onclick: () => stop() }));
  let stop = () => {};
  // Have a set built, and say for how long already; null if it was cancelled, which the server notices.
  const built = async (asked) => {
    const giveUp = new AbortController();
    stop = () => giveUp.abort();
    const begun = Date.now();
    const clock = setInterval(() => { // most sets take less than the first tick
      doing.hidden = false;
      seconds.textContent = `building, ${Math.round((Date.now() - begun) / 1000)} s`;
    }, 500);
    try {
      return await post("sets", asked, { signal: giveUp.signal });
    } catch (error) {
      if (giveUp.signal.aborted) return null;
      throw error;
    } finally {
      clearInterval(clock);
      const focused = doing.contains(document.activeElement);
      doing.hidden = true;
      if (focused) go.focus();
    }
  };
  let list = null;

  const place = (name, label, missing) => {
    const current = state[name];
    const set = (track) => { state[name] = track; showEnds(); if (name === "start") curve.startAt(track?.energy); };
    return h("div", { class: "field" }, h("span", { class: "label", text: label }),
      current ? chosenTrack(current, () => set(null))
        : trackPicker({ label, placeholder: missing, onpick: set, key: name === "start" ? "/" : undefined, signal }));
  };
  const showEnds = () => keepFocus(ends, () =>
    show(ends, place("start", "Start with", "Search the first track…"), place("end", "End with (optional)", "Search the last track…")));
  const showSize = () => {
    const unit = (value, text) =>
      h("button", { type: "button", text, "aria-pressed": String(state.unit === value),
        onclick: () => { state.unit = value; showSize(); } });
    const number = h("input",
      { type: "number", min: 2, max: state.unit === "tracks" ? 200 : 720, value: state[state.unit],
        "aria-label": `Number of ${state.unit}`, onchange: () => { state[state.unit] = Number(number.value) || state[state.unit]; } });
    keepFocus(size, () =>
      show(size, h("span", { class: "label", text: "Length" }),
        h("div", { class: "range" }, number, h("span"),
          h("div", { class: "toggle", role: "group", "aria-label": "Unit of the length" }, unit("tracks", "tracks"),
            unit("minutes", "min")))));
  };

  let orders = 0; // how many orders were asked for; only the answer to the last one counts
  const take = (made, focus = null) => {
    orders += 1;
    state.before.push(state.made && { made: state.made, locked: new Set(state.locked), banned: [...state.banned] });
    if (state.before.length > MOST_BACK) state.before.shift();
    state.made = made;
    draw(focus);
    announce(`${counted(made.tracks.length)}, ${fixed(made.minutes, 0)} minutes, score ${fixed(made.score, 2)}`);
  };
  const undo = () => {
    const before = state.before.pop();
    if (!before) return;
    Object.assign(state, before);
    draw();
  };
  const build = async () => {
    if (!state.start) {
      toast("Choose the track that the set starts with.", { kind: "error" });
      ends.querySelector("input")?.focus();
      return;
    }
    go.setAttribute("aria-disabled", "true"); // not disabled: the focus stays
    state.curve = curve.state();
    try {
      const places = Object.fromEntries((state.made?.tracks ?? []).map((one, i, all) =>
        [i + 1, one.id, i > 0 && i < all.length - 1]).filter(([, id, inside]) => inside && state.locked.has(id)));
      const made = await built({
        start: state.start.id, end: state.end?.id ?? null, tracks: state.unit === "tracks" ? state.tracks : null,
        minutes: state.unit === "minutes" ? state.minutes : null,
        curve: curve.value(), locked: places, banned: state.banned.map((one) => one.id), settings: { name: state.rules },
      });
      if (made) take(made);
      else announce("Cancelled");
    } catch (error) {
      report(error);
    } finally {
      go.removeAttribute("aria-disabled");
    }
  };
  // Another track at the place of one that is banned; all others stay where they are, also those that were moved by hand.
  const replace = async (row) => {
    const ids = state.made.tracks.map((one) => one.id);
    const last = ids.length - 1;
    const locked = Object.fromEntries(ids.map((id, i) => [i + 1, id]).filter(([place, id]) => place > 1 && place <= last && id !== row.id));
    try {
      const made = await built({
        start: ids[0], end: ids[last] === row.id ? null : ids[last], tracks: ids.length, curve: curve.value(), locked,
        banned: state.banned.map((one) => one.id), settings: { name: state.rules },
      });
      if (made) return take(made);
      state.banned = state.banned.filter((one) => one !== row);
    } catch (error) {
      report(error);
    }
    return draw();
  };
  const judged = async (ids, focus) => {
    const mine = ++orders;
    try {
      const made = await post("sets/order", { tracks: ids, curve: curve.value(), settings: { name: state.rules } });
      if (mine === orders) take(made, focus); // else the row has been moved on since, as by a key that is held down
    } catch (error) {
      if (mine !== orders) return;
      report(error);
      draw(focus);
    }
  };
  let ordering = null; // the last change of the order; what comes next waits until it is known
  const order = (ids, focus) => (ordering = judged(ids, focus));
  const draw = (focus = null) => {
    keep();
    keepFocus(result, () => drawSet(focus));
  };
  const drawSet = (focus) => {
    const { made } = state;
    if (!made) {
      show(result, h("div", { class: "welcome" }, h("h2", { text: "A set from your library" }),
        h("p", {}, "Choose a first track, draw how the energy should go, and build. Every transition says why it works; ",
          "drag tracks where you want them, lock what must stay, ban what must not come.")));
      return;
    }
    const rows = made.tracks.map(rowOfSetTrack);
    list = setList(made, { locked: state.locked, focus, onorder: order,
      onlock: async (row) => { await ordering; if (!state.locked.delete(row.id)) state.locked.add(row.id); draw(); },
      onban: async (row) => {
        await ordering;
        state.banned.push(row);
        const isEnd = [state.start?.id, state.end?.id, state.made.tracks[0].id].includes(row.id);
        if (isEnd) return order(state.made.tracks.filter((one) => one.id !== row.id).map((one) => one.id));
        return replace(row);
      } });
    const add = trackPicker({ label: "Add a track to the end of the set", placeholder: "Add a track…",
      onpick: (track) => order([...rows.map((one) => one.id), track.id], track.id), signal });
    show(result, h("div", { class: "view-head" }, h("div", { class: "set-summary" },
      h("span", {}, h("b", { text: fixed(made.minutes, 0) }), " min"),
      h("span", {}, h("b", { text: made.tracks.length }), " tracks"),
      h("span", {}, "transitions ", h("b", { text: fixed(made.score, 2) }))),
    h("div", { class: "buttons" },
      h("button", { type: "button", class: "quiet", onclick: undo, disabled: !state.before.some(Boolean) }, icon("undo"), "Back"),
      h("button", { type: "button", class: "quiet", onclick: () => play(rows[0], { queue: rows }) }, icon("play"), "Play"),
      h("button", { type: "button", class: "quiet", onclick: () => addToPlaylist(rows) }, icon("add"), "Playlist"),
      h("button", { type: "button", class: "quiet",
        onclick: () => exportTracks(rows.map((one) => one.id), `set from ${rows[0].name}`) }, icon("download"), "Export"))),
    made.remarks.map((text) => h("p", { class: "remark", text })), h("div", { class: "card" }, setChart(made)), list,
    h("div", { class: "ask set-add" }, add),
    state.banned.length > 0 &&
      h("p", {}, h("span", { class: "label", text: "not in this set: " }),
        state.banned.map((one) =>
          h("button", { type: "button", class: "chip", text: `${trackName(one)} ×`, "aria-label": `Allow ${trackName(one)} again`,
      onclick: () => { state.banned = state.banned.filter((other) => other !== one); draw(); } }))));
  };
  show(view, h("h1", { class: "unseen", text: "Sets" }), h("div", { class: "sets" },
    h("form", { class: "set-form card", novalidate: true,
      onsubmit: (event) => { event.preventDefault(); if (!go.hasAttribute("aria-disabled")) build(); } }, ends, size, curve.element,
      field("Rules", select(RULES, state.rules, (value) => { state.rules = value; })), go, doing), result));
  showEnds();
  if (state.start && !state.curve) curve.startAt(state.start.energy);
  showSize();
  draw();
  listen("player", () => list?.update(), signal);
}
