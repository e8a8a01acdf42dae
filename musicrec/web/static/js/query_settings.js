/** What counts in the answer: presets, weights by sliders, and filters. */

import { listen } from "./api.js";
import { field, h, keepFocus, later, newId, select, show } from "./dom.js";
import { blockName, fixed } from "./format.js";
import { change, filterOf, preset, query, setPart } from "./query_state.js";
import { store } from "./store.js";

const MOST_WEIGHT = 5;
const KEYS = [["", "any key"], ["compatible", "keys that mix"], ["same", "the same key"],
  ["same,neighbour", "same and neighbours"], ["same,relative", "same and relative"]];
const PERCENTS = [["", "any tempo"], ...[2, 4, 6, 8, 12, 16].map((one) => [String(one), `± ${one} %`])];

/** Set a filter by hand; what the preset says itself is left to it. */
function setFilter(name, value) {
  const said = preset().filters?.[name];
  const usual = said?.length === 0 ? null : said ?? null;
  setPart("filters", name, JSON.stringify(value ?? null) === JSON.stringify(usual) ? undefined : value ?? null);
}

/** Ask anew with what a preset says. */
function start(parts) {
  askLater.cancel();
  change({ ...parts, weights: {}, filters: {}, passage: null, unreliable: false });
}

const askLater = later((part, name, value) => setPart(part, name, value), 200);

function weights() {
  const usual = preset().weights ?? {};
  return (store.presets.blocks ?? []).filter((block) => !block.includes(".") || block in query.weights).map((block) => {
    const value = query.weights[block] ?? usual[block] ?? 0;
    const id = newId("weight");
    const shown = h("output", { for: id, text: fixed(value) });
    const slider = h("input", { type: "range", id, min: 0, max: MOST_WEIGHT, step: 0.5, value, oninput: () => {
      shown.textContent = fixed(Number(slider.value));
      slider.style.setProperty("--at", `${(slider.value / MOST_WEIGHT) * 100}%`);
      const value = Number(slider.value) === (usual[block] ?? 0) ? undefined : Number(slider.value);
      slider.parentElement.classList.toggle("changed", value !== undefined);
      askLater("weights", block, value);
    }, style: { "--at": `${Math.min(1, value / MOST_WEIGHT) * 100}%` } });
    return h("div", { class: block in query.weights ? "slider changed" : "slider" },
      h("label", { for: id, text: blockName(block) }), slider, shown);
  });
}

function range(label, name, least, most) {
  const [from, to] = filterOf(name) ?? [null, null];
  const number = (value, what) =>
    h("input", { type: "number", min: least, max: most, value: value ?? "", placeholder: what === "from" ? least : most,
    "aria-label": `${label} ${what}`, onchange: () => {
      const [a, b] = [low.value, high.value].map((one) => (one === "" ? null : Number(one)));
      setFilter(name, a === null && b === null ? null : [a, b]);
    } });
  const [low, high] = [number(from, "from"), number(to, "to")];
  return h("div", { class: "field", role: "group", "aria-label": label }, h("span", { class: "label", text: label }),
    h("div", { class: "range" }, low, h("span", { text: "to" }), high));
}

function check(label, on, act) {
  const id = newId("check");
  const box = h("input", { type: "checkbox", id, checked: on, onchange: () => act(box.checked) });
  return h("p", { class: "check" }, box, h("label", { for: id, text: label }));
}

function genres() {
  const chosen = filterOf("genre") ?? [];
  const known = (store.presets.genres ?? []).filter((one) => !chosen.includes(one));
  return h("div", { class: "field" },
    known.length + chosen.length > 0 &&
      field("Genre", select([["", chosen.length ? "add a genre…" : "any genre"], ...known.map((one) => [one, one])], "",
    (one) => setFilter("genre", [...chosen, one]))),
  h("div", { class: "chosen" },
    chosen.map((one) => h("button", { type: "button", class: "chip", "aria-label": `Remove genre ${one}`, text: `${one} ×`,
    onclick: () => setFilter("genre", chosen.length > 1 ? chosen.filter((other) => other !== one) : null) }))));
}

const COMPARE = [["", "as the preset says"], ["whole", "whole tracks"], ["outro_to_intro", "what can follow: end with beginnings"],
  ["intro_to_outro", "what can lead in: beginning with ends"], ["best", "the passages that fit best"]];

function filters() {
  const key = (filterOf("key") ?? []).join(",");
  const keys = KEYS.some(([value]) => value === key) ? KEYS : [...KEYS, [key, key.replaceAll(",", ", ")]];
  const percent = String(filterOf("bpm_percent") ?? "");
  const percents = PERCENTS.some(([value]) => value === percent) ? PERCENTS : [...PERCENTS, [percent, `± ${percent} %`]];
  return [
    field("Compare", select(COMPARE, query.passage ?? "", (one) => change({ passage: one || null }))),
    field("Tempo", select(percents, percent, (one) => setFilter("bpm_percent", one ? Number(one) : null))),
    field("Key", select(keys, key, (one) => setFilter("key", one ? one.split(",") : null))),
    range("Energy", "energy", 1, 10), range("Year", "year", 1900, 2100),
    filterOf("year") && check("Unknown years, too", Boolean(filterOf("keep_unknown")?.includes("year")),
      (on) => setFilter("keep_unknown", on ? ["year"] : null)), genres(),
    check("Not this artist", Boolean(filterOf("not_artist")?.includes("same")), (on) => setFilter("not_artist", on ? ["same"] : null)),
    check("One track per artist", filterOf("max_per_artist") === 1, (on) => setFilter("max_per_artist", on ? 1 : null)),
    check("Silent or very short tracks, too", query.unreliable, (on) => change({ unreliable: on })),
  ];
}

/** Return the settings. */
export function querySettings(signal) {
  const wide = matchMedia("(min-width: 900px)");
  const presets = h("div", { class: "presets", role: "group", "aria-label": "Presets" });
  const about = h("p", { class: "muted about" });
  const filterPart = h("div", { class: "filters" });
  const weightPart = h("div", { class: "weights" });
  const reset = h("button", { type: "button", class: "quiet", text: "Reset to the preset", onclick: () => start({}) });
  const element = h("details", { class: "settings card", open: wide.matches }, h("summary", { text: "What counts" }),
    presets, about, h("h3", { text: "Filters" }), filterPart, h("h3", { text: "Weights" }), weightPart, reset);
  wide.addEventListener("change", () => { element.open = wide.matches; }, { signal });

  const update = () => keepFocus(element, () => {
    const balanced = { name: null, about: "all that the library knows, weighed evenly" };
    show(presets, [balanced, ...store.presets.presets].map((one) => h("button", { type: "button",
      "aria-pressed": String((one.name ?? null) === query.preset), text: one.name ?? "balanced", title: one.about,
      onclick: () => start({ preset: one.name ?? null }) })));
    about.textContent = query.preset ? preset().about : "Everything counts. Only the tags filter.";
    show(filterPart, filters());
    if (!weightPart.contains(document.activeElement)) show(weightPart, weights());
    reset.hidden = !query.passage && !query.unreliable && !Object.keys({ ...query.weights, ...query.filters }).length;
  });
  listen("query", update, signal);
  listen("library", update, signal);
  update();
  return element;
}
