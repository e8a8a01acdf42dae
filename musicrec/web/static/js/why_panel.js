/** Why a track is in the answer: its scores, what it shares with the query, and both to be heard one after the other. */

import { h } from "./dom.js";
import { blockName, fixed, length, signed, tempoMultiple, trackName } from "./format.js";
import { play, player, switchAB } from "./player.js";
import { makeWaveform } from "./waveform.js";

/** Return the waveforms of the query and a result, one above the other: a click plays from there, equally loud. */
export function sideBySide(asked, row, options, passage, signal) {
  const lane = (letter, track, from) => {
    const wave = h("div", { class: "wave without-peaks" });
    makeWaveform(wave, { height: 40, signal, start: from }).show(track);
    return h("div", { class: "lane" },
      h("button", { type: "button", class: "lane-name", "aria-label": `Play ${letter}, ${trackName(track)}`,
        onclick: () => from(track, 0), text: letter }), wave);
  };
  const part = (letter, track, [from, to], start) =>
    h("button", { type: "button", class: "chip", text: `${letter} ${length(from)}–${length(to)}`,
    onclick: () => start(track, from / (track.duration_s || 1)) });
  const playB = (track, from) => play(row, { ...options, from });
  const playA = async (track, from) => {
    if (player.compare?.b.id !== row.id) await play(row, { ...options, from });
    if (player.track.id === row.id) await switchAB(from);
  };
  return h("div", { class: "side-by-side", role: "group", "aria-label": "Compare A, the query, with B" },
    lane("A", asked, playA), lane("B", row, playB),
    passage && h("p", {}, h("span", { class: "label", text: "these parts fit " }),
      part("A", asked, passage.query_s, playA), " ", part("B", row, passage.track_s, playB), ` ${fixed(passage.similarity, 2)}`));
}

/** Return the scores of a result per axis, and what else speaks for it. */
export function whyPanel(result, list) {
  return h("div", { class: "why-panel" },
    h("table", {}, h("caption", { class: "unseen", text: "Score per axis" }),
      h("thead", { class: "unseen" }, h("tr", {}, ["axis", "score", "weight"].map((text) => h("th", { scope: "col", text })))),
      h("tbody", {}, list.map(([name, score, weight]) => h("tr", {}, h("th", { scope: "row", text: blockName(name) }),
        h("td", {}, h("span", { class: "bar", style: { "--share": Math.max(0, score) } }),
          h("span", { class: "number", text: fixed(score, 2) })),
        h("td", { class: "muted", text: `× ${fixed(weight, 2)}` }))))),
    h("div", {},
      result.shared_tags.length > 0 && h("p", {}, h("span", { class: "label", text: "shares " }), result.shared_tags.join(", ")),
      result.tempo_change_percent !== null && h("p", {}, h("span", { class: "label", text: "tempo " }),
        `${signed(result.tempo_change_percent)} % ${tempoMultiple(result.tempo_multiple)}`),
      h("p", {}, h("span", { class: "label", text: "similarity " }), fixed(result.similarity, 2),
        fixed(result.score, 2) !== fixed(result.similarity, 2) &&
          ` · ranked by ${fixed(result.score, 2)}, with your taste and for variety`),
      (result.collections ?? []).map((one) =>
        h("p", { class: "muted",
          text: `${one.program ?? "collection"}: ${[one.bpm && `${fixed(one.bpm)} BPM`, one.key].filter(Boolean).join(", ")}` })),
      result.remarks.map((text) => h("p", { class: "warning", text }))));
}
