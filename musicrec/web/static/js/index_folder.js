/** Indexing a folder of this computer, with live progress. */

import { get, post, remove } from "./api.js";
import { openDialog } from "./dialog.js";
import { field, h, show } from "./dom.js";
import { fixed } from "./format.js";
import { icon } from "./icons.js";
import { indexText, progressBar, progressText, unreadable, watchIndex } from "./jobs.js";
import { report } from "./toast.js";

/** Show the dialog: choose a folder, start, watch. */
export async function indexFolder() {
  const path = h("input", { type: "text", required: true, spellcheck: "false", autocomplete: "off" });
  const list = h("ul", { class: "folders plain", "aria-label": "Folders" });
  const wrong = h("p", { class: "error", role: "alert" });
  const place = h("div", {});
  let asked = 0;
  const look = async (folder) => {
    const turn = ++asked, before = path.value;
    try {
      const found = await get("folders", { path: folder });
      if (turn !== asked) return; // another folder was asked for since
      const typed = path.value !== before; // and stays
      const inField = document.activeElement === path; // whoever begins to type replaces what is filled in
      if (!typed) path.value = found.path;
      if (!typed && inField) path.select();
      show(wrong);
      const into = (name) => `${found.path.replace(/\/$/, "")}/${name}`;
      show(list, found.parent && h("li", {}, h("button", { type: "button", onclick: () => look(found.parent) }, icon("up"), "one up")),
        found.folders.map((name) => h("li", {}, h("button", { type: "button", onclick: () => look(into(name)) }, icon("folder"), name))),
        !found.folders.length && h("li", { class: "muted", text: "no folders in here" }));
      if (!typed && !inField) list.querySelector("button")?.focus({ preventScroll: true });
    } catch (error) {
      if (turn === asked) show(wrong, error.message);
    }
  };
  path.addEventListener("change", () => look(path.value));
  const form = h("form", { onsubmit: async (event) => {
    event.preventDefault();
    try {
      start(await post("library/index", { folder: path.value }));
    } catch (error) {
      show(wrong, error.message);
    }
  } }, h("p", { class: "muted",
  text: "Files are only read. What is indexed already is passed over, so you can do this again after you get new music." }),
  field("Folder", path), list, wrong, h("div", { class: "buttons" }, h("button", { class: "primary", text: "Index this folder" })));
  show(place, form);
  const dialog = openDialog("Index a folder", place);

  const start = async (job) => {
    const bar = progressBar("Progress of indexing");
    const text = h("p", { text: "starting" });
    const stop = h("button", { type: "button", text: "Stop", onclick: () => remove(`jobs/${job.id}`).catch(report) });
    const buttons = h("div", { class: "buttons" }, stop,
      h("button", { type: "button", class: "primary", text: "Go on meanwhile", onclick: () => dialog.close() }));
    show(place, h("p", { text: path.value }), bar.element, text, buttons);
    const last = await watchIndex(job, (now) => {
      bar.set(now);
      const rate = now.result?.files_per_minute;
      const words = [progressText(now), rate && `${fixed(rate, 0)} files a minute`, now.message];
      text.textContent = words.filter((one, i, all) => one && all.indexOf(one) === i).join(" · ");
    });
    show(buttons, h("button", { type: "button", class: "primary", text: "Close", onclick: () => dialog.close() }));
    text.textContent = last ? indexText(last) : "It failed; what was indexed before is kept.";
    if (last?.state === "done") bar.set({ total: 1, done: 1 });
    const bad = last?.result?.unreadable ?? [];
    if (bad.length) text.after(h("details", { open: true }, h("summary", { text: "What could not be read" }), unreadable(bad)));
  };
  await look("");
}
