/** What the query is: tempo, key, energy, tags, the wheel of keys that mix, its waveform and how it changes. */

import { isUpload, listen } from "./api.js";
import { camelotWheel, keyName, keyPill } from "./camelot.js";
import { h, iconButton, keepFocus, show } from "./dom.js";
import { energyMeter } from "./energy.js";
import { fixed, length, trackName } from "./format.js";
import { icon } from "./icons.js";
import { isPlaying, toggle } from "./player.js";
import { filterOf, query, setPart } from "./query_state.js";
import { rowOf, store } from "./store.js";
import { trackButtons } from "./track_buttons.js";
import { makeWaveform } from "./waveform.js";

const GROUPS = { genre: "genre", instruments: "instruments", mood: "mood", voice: "voice" };
const MOST_TAGS = 5;

/** Return the row of the query, with what the answer says of it. */
export function queryRow() {
  const [seed] = query.seeds;
  const said = query.answer?.query;
  return said && said.id === seed?.id
    ? { ...seed, ...rowOf(said), title: said.title || seed.title, artist: said.artist || seed.artist } : seed;
}

function figure(label, value, unit, more = null) {
  return h("div", { class: "figure" }, h("span", { class: "label", text: label }),
    h("span", { class: "value" }, value, unit && h("small", { text: unit })), more);
}

function tagList(said) {
  const groups = Object.entries(said.tag_groups ?? {}).map(([group, tags]) =>
    [group, tags.filter((tag) => tag.present).slice(0, MOST_TAGS)]);
  const others = Object.entries(said.tag_groups ?? {}).length ? [] : Object.entries(said.tags ?? {}).map(([head, tags]) =>
    [head, tags.slice(0, MOST_TAGS).map((tag) => ({ tag: tag.tag, strength: tag.probability }))]);
  return h("dl", { class: "tags" }, [...groups, ...others].filter(([, tags]) => tags.length).map(([group, tags]) => h("div", {},
    h("dt", { text: GROUPS[group] ?? group.replaceAll("_", " ") }),
    h("dd", {}, tags.map((tag) =>
      h("span", { class: "tag", title: `${tag.tag}: ${fixed(tag.strength, 2)}`, style: { "--share": tag.strength } }, tag.tag))))));
}

/** Return the keys that are filtered by: those chosen by hand, as codes. */
const chosenKeys = () => (query.filters.key ?? []).filter((one) => /^\d+[AB]$/.test(one));

function chooseKey(code) {
  const chosen = chosenKeys();
  const keys = chosen.includes(code) ? chosen.filter((one) => one !== code) : [...chosen, code];
  setPart("filters", "key", keys.length ? keys : undefined);
}

/** Return the panel. */
export function queryPanel(signal) {
  const head = h("div", { class: "query-head" });
  const facts = h("div", { class: "figures" });
  const wave = h("div", { class: "wave without-peaks" });
  const tags = h("div", { class: "query-tags" });
  const wheel = h("div", { class: "query-wheel" });
  const place = h("div", { class: "track-details" });
  let details = null; // its code is fetched with the first query
  const showDetails = async (row) => {
    const { trackDetails } = await import("./track_details.js");
    if (signal.aborted) return;
    if (!details) place.replaceWith((details = trackDetails(signal)).element);
    if (of === row.id) details.show(row);
  };
  const waveform = makeWaveform(wave, { height: 96, signal });
  const panel = h("section", { class: "query-panel card", "aria-label": "The query" },
    h("div", { class: "query-main" }, h("div", { class: "query-top" }, head, facts), wave, tags),
    h("details", { class: "wheel-part", open: matchMedia("(min-width: 701px)").matches },
      h("summary", { class: "muted", text: "Keys that mix" }), wheel), place);
  let of = null;

  const update = () => {
    const row = queryRow();
    if (!row) return;
    const said = query.answer?.query ?? {};
    const button = iconButton(icon(isPlaying(row.id) ? "pause" : "play"), `${isPlaying(row.id) ? "Pause" : "Play"} ${trackName(row)}`,
      () => toggle(row), { class: "play big" });
    const inLibrary = !isUpload(row.id);
    keepFocus(head, () =>
      show(head, button, h("div", { class: "names" }, h("h2", { text: row.title || row.name || row.track_id, title: trackName(row) }),
      h("p", { class: "muted",
        text: [row.artist, row.album, row.year, inLibrary ? null : "not in the library"].filter(Boolean).join(" · ") })),
    h("div", { class: "row-buttons" }, inLibrary && trackButtons(row))));
    show(facts,
      figure("BPM", fixed(row.bpm), ""),
      figure("Key", keyPill(row.camelot, row.key), "",
        h("small", { class: "muted", text: row.camelot ? keyName(row.camelot) : row.key ?? "" })),
      figure("Energy", fixed(row.energy), "of 10", energyMeter(row.energy)),
      figure("Loudness", fixed(row.loudness), "LUFS"),
      figure("Length", length(row.duration_s), ""));
    show(tags, tagList(said), (said.collections ?? []).map((one) => h("p", { class: "muted" }, `${one.program ?? "collection"}: `,
      [one.bpm && `${fixed(one.bpm)} BPM`, one.key, one.rating && `${one.rating} stars`].filter(Boolean).join(", "))));
    const focused = wheel.contains(document.activeElement) ? document.activeElement.dataset.code : null;
    show(wheel, camelotWheel({ code: row.camelot, scores: store.keys[row.camelot] ?? {}, chosen: chosenKeys(), onchoose: chooseKey }),
      h("p", { class: "wheel-hint" }, chosenKeys().length
        ? h("button", { type: "button", class: "quiet", text: `Only ${chosenKeys().join(", ")} · clear`,
          onclick: () => setPart("filters", "key", undefined) })
        : h("span", { class: "muted", text: filterOf("key") ? "the preset keeps keys that mix" : "bright keys mix; click to filter" })));
    if (focused) wheel.querySelector(`[data-code="${focused}"]`)?.focus();
    if (of !== row.id) {
      of = row.id;
      waveform.show(row);
      showDetails(row);
    }
  };
  for (const name of ["query", "answer", "player"]) listen(name, update, signal);
  listen("opinion", ({ id }) => { if (id === query.seeds[0]?.id) update(); }, signal);
  update();
  return panel;
}

