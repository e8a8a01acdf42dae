/** Writing tracks into a file for other programs. */

import { download } from "./api.js";
import { openDialog } from "./dialog.js";
import { field, h, select, show } from "./dom.js";
import { counted } from "./format.js";
import { keepSetting, setting } from "./kept.js";
import { toast } from "./toast.js";

const FORMATS = [["rekordbox", "rekordbox (XML)"], ["traktor", "Traktor (NML)"], ["m3u8", "playlist (M3U8)"],
  ["csv", "table (CSV)"], ["json", "JSON"]];
const SUFFIXES = { rekordbox: "xml", traktor: "nml", m3u8: "m3u8", csv: "csv", json: "json" };
const WITH_GRIDS = new Set(["rekordbox", "traktor"]);
const NOTATIONS = [["camelot", "Camelot, 8A"], ["open_key", "Open Key, 1m"], ["musical", "musical, Am"]];

/**
 * Ask for a format, and save the file.
 * @param {string[]|null} tracks Ids in their order; null for the whole library.
 * @param {string} name What the playlist in the file is called.
 * @param {string|null} [playlist] Or a playlist.
 */
export function exportTracks(tracks, name, playlist = null) {
  const grids = h("p", { class: "muted",
    text: "Tracks with a beat grid get its tempo, which is more exact than the one of the page: 127.00 for 127.1." });
  const format = select(FORMATS, setting("export_format") || "rekordbox", (chosen) => { grids.hidden = !WITH_GRIDS.has(chosen); });
  grids.hidden = !WITH_GRIDS.has(format.value);
  const notation = select(NOTATIONS, setting("key_notation") || "camelot", () => {});
  const title = h("input", { type: "text", value: name, maxlength: 100, required: true });
  const wrong = h("p", { class: "error", role: "alert" });
  const form = h("form", { onsubmit: async (event) => {
    event.preventDefault();
    try {
      keepSetting("export_format", format.value);
      keepSetting("key_notation", notation.value);
      const file = await download("export", { tracks, playlist, format: format.value, key_notation: notation.value, name: title.value },
        `${title.value}.${SUFFIXES[format.value]}`);
      dialog.close();
      toast(`Saved as ${file}`);
    } catch (error) {
      show(wrong, error.message);
    }
  } }, h("p", { class: "muted",
  text: playlist ? `The playlist ${playlist}.` : tracks ? `${counted(tracks.length)}, in this order.` : "The whole library." }),
  field("Name", title), field("For", format), field("Keys as", notation), grids, wrong,
  h("div", { class: "buttons" }, h("button", { class: "primary", text: "Save file" })));
  const dialog = openDialog("Export", form);
}
