/** The view Playlists: make, order, continue, export. */

import { get, listen, post, put, remove } from "./api.js";
import { keyPill } from "./camelot.js";
import { askText } from "./dialog.js";
import { h, iconButton, keepFocus, show } from "./dom.js";
import { energyCell } from "./energy.js";
import { exportTracks } from "./export_dialog.js";
import { counted, fixed, length, moment, trackName } from "./format.js";
import { icon } from "./icons.js";
import { movable } from "./movable.js";
import { isPlaying, play, player, toggle } from "./player.js";
import { useAsQuery } from "./query_state.js";
import { isEmpty, learn } from "./store.js";
import { report, toast } from "./toast.js";
import { trackPicker } from "./track_picker.js";
import { MENU_BUTTON, bindRow, openMenu } from "./track_buttons.js";

const pathOf = (name, what = "") => `playlists/${encodeURIComponent(name)}${what}`;
const addressOf = (name) => `#/playlists?name=${encodeURIComponent(name)}`;

async function make() {
  const name = await askText("New playlist", "Name", { button: "Make it" });
  if (!name) return;
  try {
    await post("playlists", { name, tracks: [] });
    location.hash = addressOf(name);
  } catch (error) {
    report(error);
  }
}

function playlistRow(track, at, { list, rows, edit }) {
  const name = trackName(track);
  const available = track.available !== false;
  const queue = rows.filter((one) => one.available !== false);
  const playing = () => toggle(track, { queue });
  const button = iconButton(icon("play"), `Play ${name}`, playing, { class: "play", disabled: !available });
  const grip = iconButton(icon("grip"), `Move ${name}; arrow keys move it`, () => {}, { class: "grip" });
  const element = h("li", { class: `playlist-row ${available ? "" : "gone"}`, tabindex: at ? -1 : 0, data: { at } }, grip,
    h("span", { class: "rank", text: at + 1 }), button,
    h("div", { class: "names" }, h("strong", { text: track.title || track.name || track.id }),
      h("small", { class: "muted", text: available ? track.artist ?? "" : "its file is missing" })),
    h("span", { class: "bpm", text: fixed(track.bpm) }), keyPill(track.camelot, track.key),
    energyCell(track.energy),
    h("span", { class: "length muted", text: length(track.duration_s) }),
    h("div", { class: "row-buttons" },
      iconButton(icon("up"), `Move ${name} up`, () => step("up"), { disabled: at === 0 }),
      iconButton(icon("down"), `Move ${name} down`, () => step("down"), { disabled: at === rows.length - 1 }),
      iconButton(icon("close"), `Take out ${name}`, () => edit.takeOut(at))));
  element.update = () => {
    show(button, icon(isPlaying(track.id) ? "pause" : "play"));
    element.classList.toggle("playing", player.track?.id === track.id);
  };
  element.update();
  let from = "grip";
  const by = movable(element, grip,
    { list, rows: ".playlist-row", name,
      done: (_, place) => edit.order([...list.children].map((one) => rows[one.dataset.at]), [place, from]) });
  const step = (which) => {
    from = which;
    by(which === "up" ? -1 : 1);
    from = "grip";
  };
  return bindRow(element, track, { play: playing });
}

export async function mount(view, { signal, params }) {
  const chosen = params.get("name");
  const lists = h("nav", { class: "list-of", "aria-label": "Playlists" });
  const detail = h("section", { class: "playlist card", "aria-label": "Playlist" });
  let list = null;
  let current = []; // the tracks in the order that is seen

  const readLists = async () => {
    const found = isEmpty() ? [] : await get("playlists", {}, { signal }); // no library has no playlists
    keepFocus(lists, () =>
      show(lists, found.map((one) =>
        h("a", { href: addressOf(one.name), "aria-current": one.name === chosen ? "page" : null, title: `changed ${moment(one.changed)}` },
      h("span", { class: "name", text: one.name }), h("span", { class: "muted", text: one.tracks }))),
    !found.length && h("p", { class: "muted", text: "No playlist yet." })));
    return found;
  };

  let writing = Promise.resolve(), writes = 0;
  const write = (rows, focus) => { // one after the other; of orders that follow fast, the last one is shown
    const mine = ++writes;
    current = rows;
    writing = writing.catch(() => {}).then(async () => {
      if (mine !== writes) return;
      await put(pathOf(chosen), { tracks: rows.map((one) => one.id) });
      if (mine !== writes) return;
      await readDetail(focus);
      await readLists();
    });
    return writing;
  };
  const readDetail = async (focus = null) => {
    if (!chosen) {
      show(detail, h("div", { class: "empty-note" },
        h("p", { text: "Add tracks with the menu ⋯ of a track, with the key p, or make an empty playlist." })));
      return;
    }
    const playlist = await get(pathOf(chosen), {}, { signal });
    const rows = learn(playlist.tracks);
    current = rows;
    const act = (run) => (...values) => Promise.resolve(run(...values)).catch(report);
    const edit = {
      order: (next, focus) => write(next, focus).catch((error) => { // the rows are drawn anew as they are on the server
        report(error);
        return readDetail().catch(report);
      }),
      takeOut: act(async (at) => {
        const before = current;
        await write(before.filter((one) => one !== rows[at]), [Math.max(0, before.indexOf(rows[at]) - 1), "close"]);
        toast(`Taken out: ${trackName(rows[at])}`, { action: { label: "Undo", run: act(() => write(before)) } });
      }),
    };
    const here = rows.filter((one) => one.available !== false);
    const goOn = act(async () => {
      await writing.catch(() => {}); // it goes on from the last track
      const found = await post(pathOf(chosen, "/continue"), { k: 5 });
      const before = current;
      const next = found.tracks.filter((one) => !before.some((other) => other.id === one.id));
      if (!next.length) return toast("Nothing was found that goes on from here.");
      await write([...before, ...next]);
      return toast(`Added: ${next.map((one) => one.name ?? trackName(one)).join(", ")}`,
        { action: { label: "Undo", run: act(() => write(before)) } });
    });
    const rename = act(async () => {
      const name = await askText("Rename the playlist", "Name", { value: chosen });
      if (!name || name === chosen) return;
      await put(pathOf(chosen), { name });
      location.hash = addressOf(name);
    });
    const erase = act(async () => {
      await remove(pathOf(chosen));
      location.hash = "#/playlists";
      toast(`Deleted: ${chosen}`, { action: { label: "Undo", run: act(async () => {
        await post("playlists", { name: chosen, tracks: rows.map((one) => one.id) });
        location.hash = addressOf(chosen);
      }) } });
    });
    const items = [["Rename…", rename], ["Delete", erase]];
    const more = iconButton(icon("more"), `More for ${chosen}`, () => openMenu(more, items), MENU_BUTTON);
    const total = here.reduce((sum, one) => sum + (one.duration_s ?? 0), 0);
    list = h("ol", { class: "plain", "aria-label": `Tracks of ${chosen}` });
    show(list, rows.map((track, at) => playlistRow(track, at, { list, rows, edit })));
    keepFocus(detail, () =>
      show(detail, h("div", { class: "view-head" },
        h("div", {}, h("h2", { text: chosen }), h("p", { class: "muted", text: `${counted(rows.length)} · ${length(total)}` })),
      h("div", { class: "buttons" },
        h("button", { type: "button", class: "quiet", disabled: !here.length, onclick: () => play(here[0], { queue: here }) },
          icon("play"), "Play"),
        h("button", { type: "button", class: "quiet", disabled: !here.length, onclick: goOn }, icon("add"), "Continue it"),
        h("button", { type: "button", class: "quiet", disabled: !here.length,
          onclick: () => useAsQuery(here, { playlist: true }) }, icon("search"), "Find more like it"),
        h("button", { type: "button", class: "quiet", disabled: !rows.length,
          onclick: () => exportTracks(null, chosen, chosen) }, icon("download"), "Export"), more)),
    rows.length ? list : h("p", { class: "empty-note", text: "This playlist is empty. Search a track below to add it." }),
    h("div", { class: "ask set-add" },
      trackPicker({ label: "Add a track to this playlist", placeholder: "Add a track…", signal, key: "/", onpick: act(async (track) => {
      await post(pathOf(chosen, "/tracks"), { tracks: [track.id] });
      await readDetail();
      await readLists();
      detail.querySelector("input")?.focus();
    }) }))));
    if (focus) {
      const [at, which] = focus;
      const buttons = [...(list.children[at]?.querySelectorAll(":is(.grip, .row-buttons button)") ?? [])];
      const wanted = buttons[{ grip: 0, up: 1, down: 2, close: 3 }[which]];
      (wanted?.disabled ? buttons.find((one) => !one.disabled) : wanted)?.focus();
    }
  };

  show(view, h("div", { class: "view-head" }, h("h1", { text: "Playlists" }),
    h("button", { type: "button", onclick: make }, icon("add"), "New playlist")), h("div", { class: "playlists" }, lists, detail));
  listen("player", () => { for (const one of list?.children ?? []) one.update(); }, signal);
  listen("playlists", () => {
    if (!chosen) dispatchEvent(new Event("hashchange"));
    else Promise.all([readLists(), readDetail()]).catch(report);
  }, signal);
  const found = await readLists();
  if (!chosen && found.length) {
    history.replaceState(null, "", addressOf(found[0].name));
    dispatchEvent(new Event("hashchange"));
    return;
  }
  await readDetail();
}
