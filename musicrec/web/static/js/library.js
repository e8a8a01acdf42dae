/** The view Library: the whole collection as a table, with search, filters and sorting. */

import { get, listen } from "./api.js";
import { CODES, keyName, keyPill } from "./camelot.js";
import { field, h, iconButton, later, select, show } from "./dom.js";
import { energyMeter } from "./energy.js";
import { exportTracks } from "./export_dialog.js";
import { emptyLibrary } from "./empty_library.js";
import { DASH, counted, fixed, length, trackName, whole } from "./format.js";
import { icon } from "./icons.js";
import { indexFolder } from "./index_folder.js";
import { isPlaying, player, toggle } from "./player.js";
import { shortcut } from "./shortcuts.js";
import { isEmpty, learn, opinionOf, store } from "./store.js";
import { announce, report } from "./toast.js";
import { bindRow, trackButtons } from "./track_buttons.js";
import { virtualTable } from "./virtual_table.js";

const asked = { search: "", genre: "", key: "", mixes: false, bpm_min: "", bpm_max: "", energy_min: "", energy_max: "",
  opinion: "", sort: "title", order: "asc" };
const wide = matchMedia("(min-width: 1100px)");
const middle = matchMedia("(min-width: 821px)");
const narrow = matchMedia("(min-width: 701px)"); // a window of 1440 pixels at 200 % has 720

const COLUMNS = [
  { name: "play", text: "play" }, { name: "title", text: "Title", sort: "title" }, { name: "artist", text: "Artist", sort: "artist" },
  { name: "album", text: "Album", sort: "album" }, { name: "genre", text: "Genre", sort: "genre" },
  { name: "bpm", text: "BPM", sort: "bpm", class: "right" }, { name: "key", text: "Key", sort: "key" },
  { name: "energy", text: "Energy", sort: "energy" },
  { name: "duration", text: "Length", sort: "duration", class: "right" },
  { name: "year", text: "Year", sort: "year", class: "right" }, { name: "buttons", text: "what to do with it" },
];
const WIDTHS = { play: "36px", title: "minmax(100px, 3fr)", artist: "minmax(80px, 2fr)", album: "minmax(80px, 2fr)",
  genre: "minmax(70px, 1.3fr)", bpm: "64px", key: "56px", energy: "88px", duration: "58px", year: "46px", buttons: "104px" };
const OF_A_PHONE = { title: "minmax(90px, 1fr)", bpm: "56px", key: "50px", buttons: "36px" };
const NAMES = { phone: ["play", "title", "bpm", "key", "buttons"],
  narrow: ["play", "title", "artist", "bpm", "key", "energy", "buttons"],
  tablet: ["play", "title", "artist", "genre", "bpm", "key", "energy", "buttons"], desktop: COLUMNS.map((one) => one.name) };

const layout = () => (wide.matches ? "desktop" : middle.matches ? "tablet" : narrow.matches ? "narrow" : "phone");
const cell = (name, content, right = false) => h("div", { role: "gridcell", class: right ? "right" : "" }, content ?? DASH);

function makeRow(track, queue, names, phone) {
  const name = trackName(track);
  const playing = () => toggle(track, { queue: queue() });
  const button = iconButton(icon("play"), `Play ${name}`, playing, { class: "play", tabindex: -1 });
  const cells = {
    play: () => h("div", { role: "gridcell" }, button),
    title: () => h("div", { role: "gridcell", class: phone ? "names" : "title", title: name },
      phone ? [h("span", { class: "title", text: track.title }), h("small", { class: "muted", text: track.artist ?? "" })] : track.title),
    artist: () => cell("artist", track.artist), album: () => cell("album", track.album), genre: () => cell("genre", track.genre),
    bpm: () => h("div", { role: "gridcell", class: "right bpm", text: fixed(track.bpm) }),
    key: () => h("div", { role: "gridcell" }, keyPill(track.camelot, track.key)),
    energy: () => h("div", { role: "gridcell" }, energyMeter(track.energy), fixed(track.energy)),
    duration: () => cell("duration", length(track.duration_s), true),
    year: () => cell("year", track.year ? String(track.year) : DASH, true),
    buttons: () => h("div", { role: "gridcell", class: "buttons-cell" }, phone ? trackButtons(track).at(-1) : trackButtons(track)),
  };
  const element = h("div", { class: "table-row", ondblclick: playing }, names.map((one) => cells[one]()));
  element.update = () => {
    show(button, icon(isPlaying(track.id) ? "pause" : "play"));
    element.classList.toggle("playing", player.track?.id === track.id);
    element.classList.toggle("liked", opinionOf(track.id).opinion === "like");
    element.classList.toggle("never", opinionOf(track.id).opinion === "dislike");
  };
  element.update();
  return bindRow(element, track, { play: playing });
}

export async function mount(view, { signal }) {
  if (isEmpty()) {
    show(view, h("h1", { class: "unseen", text: "Library" }), emptyLibrary());
    return;
  }
  const kind = layout();
  const columns = COLUMNS.filter((one) => NAMES[kind].includes(one.name));
  const count = h("small", {});
  const none = h("p", { class: "empty-note", hidden: true }, "No track passes. ",
    h("button", { type: "button", text: "Clear search and filters", onclick: () => clear() }));
  const table = virtualTable({
    label: "Tracks of the library", columns, rowHeight: () => (kind === "phone" ? 60 : 44),
    fetchPage: async (offset, limit, dropped) => {
      const page = await get("tracks", parameters(offset, limit), { signal: dropped });
      learn(page.tracks);
      return page;
    },
    makeRow: (track, index) => makeRow(track, () => table.around(index), NAMES[kind], kind === "phone"),
    onsort: (sort) => {
      Object.assign(asked, { sort, order: asked.sort === sort && asked.order === "asc" ? "desc" : "asc" });
      reload();
    },
  });
  table.element.style.setProperty("--columns", NAMES[kind].map((one) => (kind === "phone" && OF_A_PHONE[one]) || WIDTHS[one]).join(" "));

  const parameters = (offset, limit) => ({
    search: asked.search, genre: asked.genre, bpm_min: asked.bpm_min, bpm_max: asked.bpm_max, energy_min: asked.energy_min,
    energy_max: asked.energy_max,
    key: asked.mixes ? "" : asked.key, compatible_with: asked.mixes ? asked.key : "", opinion: asked.opinion, sort: asked.sort,
    order: asked.order, offset, limit,
  });
  const reload = async (options) => {
    table.setSort(asked.sort, asked.order);
    try {
      const page = await table.reload(options);
      if (!page || signal.aborted) return;
      count.textContent = page.total === store.library.tracks ? counted(page.total)
        : `${whole(page.total)} of ${counted(store.library.tracks)}`;
      none.hidden = page.total > 0;
      announce(counted(page.total));
    } catch (error) {
      report(error);
    }
  };
  const change = (name) => (value) => { asked[name] = value; reload(); };
  const clear = () => {
    Object.assign(asked, { search: "", genre: "", key: "", mixes: false, bpm_min: "", bpm_max: "", energy_min: "",
      energy_max: "", opinion: "" });
    dispatchEvent(new Event("hashchange"));
  };
  const typed = later(() => { asked.search = search.value; reload(); }, 80);
  const search = h("input",
    { type: "search", value: asked.search, placeholder: "Title, artist or album", autocomplete: "off", spellcheck: "false", oninput: typed,
    onkeydown: (event) => { if (event.key === "ArrowDown" || event.key === "Enter") { event.preventDefault(); table.focusFirst(); } } });
  const number = (name, label) =>
    h("input", { type: "number", value: asked[name], "aria-label": label, placeholder: label.endsWith("from") ? "from" : "to",
      onchange: (event) => change(name)(event.target.value) });
  const pair = (label, from, to) =>
    h("div", { class: "field pair", role: "group", "aria-label": label }, h("span", { class: "label", text: label }),
    h("div", { class: "range" }, number(from, `${label} from`), h("span", { text: "to" }), number(to, `${label} to`)));
  const mixes = h("input", { type: "checkbox", id: "mixes", checked: asked.mixes, onchange: () => change("mixes")(mixes.checked) });

  show(view,
    h("div", { class: "view-head" }, h("h1", {}, "Library", count), h("div", { class: "buttons" },
      h("button", { type: "button", class: "quiet", onclick: () => exportTracks(null, "library") }, icon("download"), "Export all"),
      store.session.can_index && h("button", { type: "button", onclick: () => indexFolder() }, icon("folder"), "Index a folder"))),
    store.library.remarks.map((text) => h("p", { class: "remark quiet", text })),
    h("div", { class: "toolbar" }, field("Search", search, { class: "search" }),
      h("details", { class: "more-filters", open: kind !== "phone" }, h("summary", { class: "muted", text: "Filters" }), h("div", {},
      field("Genre", select([["", "all"],
        ...store.library.genres.map((one) => [one.name, `${one.name} (${whole(one.tracks)})`])], asked.genre, change("genre"))),
      pair("BPM", "bpm_min", "bpm_max"), pair("Energy", "energy_min", "energy_max"),
      field("Key", select([["", "all"], ...CODES.map((code) => [code, `${code} · ${keyName(code)}`])], asked.key, change("key"))),
      h("p", { class: "check" }, mixes, h("label", { for: "mixes", text: "and what mixes" })),
      field("Opinion", select([["", "all"], ["like", "liked"], ["dislike", "never again"]], asked.opinion, change("opinion")))))),
    table.element, none);
  shortcut("/", "Page", "Search", () => { search.focus(); search.select(); }, signal);
  for (const one of ["player", "opinion"]) listen(one, () => { for (const row of table.shown()) row.update(); }, signal);
  for (const one of ["indexed", "grown"]) listen(one, () => reload({ keepPlace: true }), signal);
  for (const query of [wide, middle, narrow]) query.addEventListener("change", () => dispatchEvent(new Event("hashchange")), { signal });
  await reload();
}
