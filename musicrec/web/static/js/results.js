/** The answer: ranked tracks, each with its score per axis and why it is there. */

import { listen } from "./api.js";
import { keyPill } from "./camelot.js";
import { h, iconButton, show } from "./dom.js";
import { energyCell } from "./energy.js";
import { addToPlaylist } from "./feedback.js";
import { blockName, counted, fixed, signed, tempoMultiple, trackName, whole } from "./format.js";
import { icon } from "./icons.js";
import { isPlaying, player, toggle } from "./player.js";
import { queryRow } from "./query_panel.js";
import { change, query } from "./query_state.js";
import { opinionOf, rowOf } from "./store.js";
import { bindRow, trackButtons } from "./track_buttons.js";
import { shortcut } from "./shortcuts.js";

const hidden = new Set(); // tracks that were skipped or are never wanted again, until the next answer

const saveTracks = async (...values) => (await import("./export_dialog.js")).exportTracks(...values);

/** Return [block, score, weight] of a result, by weight; the parts of one block, such as two models, are one. */
function axes(result, weights) {
  const sums = new Map();
  for (const [block, score] of Object.entries(result.similarity_by_block)) {
    const name = block.split(".")[0];
    const weight = weights[block] ?? weights[name] ?? (block === "passage" ? 1 : 0);
    const [sum, all] = sums.get(name) ?? [0, 0];
    sums.set(name, [sum + score * weight, all + weight]);
  }
  return [...sums].filter(([, [, all]]) => all > 0).map(([name, [sum, all]]) => [name, sum / all, all]).sort((a, b) => b[2] - a[2]);
}

function axisBars(list) {
  const text = list.map(([name, score]) => `${blockName(name)} ${fixed(score, 2)}`).join(", ");
  return h("span", { class: "axes", role: "img", "aria-label": `Score per axis: ${text}`, title: text.replaceAll(", ", "\n") },
    list.map(([, score]) => h("i", { style: { "--share": Math.max(0.03, score) } })));
}

function resultRow(result, rows, weights, signal) {
  const row = rowOf(result);
  const asked = queryRow();
  const options = { queue: rows, query: asked };
  const list = axes(result, weights);
  const playing = () => toggle(row, options);
  const button = iconButton(icon(isPlaying(row.id) ? "pause" : "play"), `Play ${trackName(row)}`, playing, { class: "play" });
  const panel = h("div", { class: "why-place", hidden: true });
  const why = h("button",
    { type: "button", class: "why", "aria-expanded": "false", title: "Why this one?", onclick: () => openWhy() },
    result.why || "Why this one?");
  let closed = new AbortController();
  const openWhy = async () => {
    panel.hidden = !panel.hidden;
    why.setAttribute("aria-expanded", String(!panel.hidden));
    closed.abort();
    if (panel.hidden) return;
    closed = new AbortController();
    const stop = AbortSignal.any([closed.signal, signal]);
    const { sideBySide, whyPanel } = await import("./why_panel.js");
    if (!stop.aborted) show(panel, sideBySide(asked, row, options, result.passage, stop), whyPanel(result, list));
  };
  const changed = result.tempo_change_percent;
  const multiple = tempoMultiple(result.tempo_multiple);
  const element = h("li", { class: "result", tabindex: -1 },
    h("span", { class: "rank", text: result.rank }), button,
    h("div", { class: "names" }, h("span", { class: "title", text: row.title || row.track_id }),
      h("span", { class: "artist muted", text: row.artist ?? "" }), result.taste && h("span", { class: "taste", text: result.taste }), why),
    h("span", { class: "tempo" }, h("b", { class: "bpm", text: fixed(row.bpm) }),
      h("small", { class: "muted", text: changed === null ? "" : `${signed(changed)} % ${multiple}` })),
    keyPill(row.camelot, row.key),
    energyCell(row.energy),
    axisBars(list),
    h("span", { class: "score", title: "Similarity", text: fixed(result.similarity, 2) }),
    h("div", { class: "row-buttons" }, trackButtons(row, { after: asked })), panel);
  element.update = () => {
    show(button, icon(isPlaying(row.id) ? "pause" : "play"));
    button.setAttribute("aria-label", `${isPlaying(row.id) ? "Pause" : "Play"} ${trackName(row)}`);
    element.classList.toggle("playing", player.track?.id === row.id);
    element.classList.toggle("liked", opinionOf(row.id).opinion === "like");
  };
  element.openWhy = openWhy;
  return bindRow(element, row, { after: asked, play: playing });
}

function step(list, by) {
  const all = [...list.children];
  if (!all.length) return false;
  const at = all.indexOf(document.activeElement?.closest(".result"));
  const next = all[Math.max(0, Math.min(all.length - 1, at < 0 ? 0 : at + by))];
  for (const one of all) one.tabIndex = one === next ? 0 : -1;
  next.focus();
  next.scrollIntoView({ block: "nearest" });
  return true;
}

function heading(answer, shown) {
  const { filter, library } = answer;
  const steps = filter.steps?.at(-1);
  const tags = steps?.tags?.length ? `${filter.match} of ${steps.tags.join(", ")}` : null;
  const parts = [...(filter.musical?.texts ?? []), tags].filter(Boolean);
  const found = query.towards ? `${counted(shown.length)} on the way to ${trackName(query.towards)}`
    : `${counted(shown.length)} that ${shown.length === 1 ? "goes" : "go"} with it`;
  return [h("h2", {}, shown.length ? found : library.tracks > 1 ? "Nothing passes" : "No other track yet"),
    h("p", { class: "muted steps-text", text: [`of ${whole(library.tracks)}`, parts.join(" · ")].filter(Boolean).join(": ") })];
}

/** Return the results. */
export function results(signal) {
  const head = h("div", { class: "results-head" });
  const remarks = h("div", { class: "remarks" });
  const list = h("ol", { class: "results plain", "aria-label": "Tracks that go with the query" });
  const columns = h("div", { class: "result-columns", "aria-hidden": "true" });
  const element = h("section", { class: "found", "aria-label": "Results" }, head, remarks, columns, list);
  let of = null;
  let drawn = new AbortController(); // ends what the rows listen to

  const update = () => {
    const { answer } = query;
    drawn.abort();
    drawn = new AbortController();
    element.setAttribute("aria-busy", String(query.asking));
    if (!answer) {
      show(head, h("h2", { text: query.asking ? "Searching…" : "" }));
      show(list, query.asking && Array.from({ length: 8 }, () => h("li", { class: "result skeleton", "aria-hidden": "true" })));
      show(remarks);
      return;
    }
    if (of !== answer) {
      of = answer;
      hidden.clear();
    }
    const shown = answer.results.filter((one) => !hidden.has(one.id));
    const rows = shown.map(rowOf);
    const active = document.activeElement?.closest?.(".result")?.dataset.track;
    show(head, heading(answer, shown), h("div", { class: "buttons" },
      h("button", { type: "button", class: "quiet", onclick: () => addToPlaylist(rows), disabled: !rows.length }, icon("add"),
        "All to playlist"),
      h("button", { type: "button", class: "quiet",
        onclick: () => saveTracks(rows.map((one) => one.id), trackName(queryRow() ?? {})), disabled: !rows.length },
        icon("download"), "Export")));
    show(remarks, answer.remarks.map((text) => h("p", { class: "remark", text })));
    const ended = AbortSignal.any([signal, drawn.signal]);
    const items = shown.map((one) => resultRow(one, rows, answer.similarity?.weights ?? {}, ended));
    if (items.length) items[0].tabIndex = 0;
    show(list, items, !query.towards && query.k <= shown.length && h("li", { class: "more-row" },
      h("button", { type: "button", text: "Show more", onclick: () => change({ k: query.k + 20 }) })));
    for (const one of items) one.update();
    const names = shown.length ? axes(shown[0], answer.similarity?.weights ?? {}).map(([name]) => blockName(name)) : [];
    columns.hidden = !shown.length;
    show(columns, h("span", { class: "of-tempo", text: "BPM" }), h("span", { text: "key" }), h("span", { text: "energy" }),
      h("span", { title: names.join("\n"), text: "axes" }),
      h("span", { class: "of-score", text: "similar",
        title: "Similarity. The order also follows your taste, variety, and how often a track is near to everything." }));
    const again = active && items.find((one) => one.dataset.track === active);
    if (again) { items[0].tabIndex = -1; again.tabIndex = 0; again.focus({ preventScroll: true }); }
  };
  listen("answer", update, signal);
  listen("asking", () => { element.setAttribute("aria-busy", "true"); if (!query.answer) update(); }, signal);
  const refresh = () => { for (const one of list.querySelectorAll("[data-track]")) one.update(); };
  listen("player", refresh, signal);
  listen("opinion", refresh, signal);
  listen("feedback", ({ kind, track }) => {
    if (kind === "undo") hidden.delete(track.id);
    else if (kind === "skip" || kind === "dislike") {
      const rows = [...list.querySelectorAll("[data-track]")];
      const at = rows.findIndex((one) => one.dataset.track === track.id);
      const next = rows[at + 1] ?? rows[at - 1];
      if (at >= 0 && rows[at].contains(document.activeElement) && next) next.focus();
      hidden.add(track.id);
    } else return;
    update();
  }, signal);
  shortcut("j", "Results", "Next result", () => step(list, 1), signal);
  shortcut("k", "Results", "Result before", () => step(list, -1), signal);
  shortcut("ArrowDown", "Results", "Next result", () => step(list, 1), signal);
  shortcut("ArrowUp", "Results", "Result before", () => step(list, -1), signal);
  shortcut("w", "Results", "Why this one?", () => {
    const row = document.activeElement?.closest?.(".result");
    if (!row) return false;
    row.openWhy();
    return true;
  }, signal);
  update();
  return element;
}
