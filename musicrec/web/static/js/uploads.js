/** Files that are dropped or chosen: sent, analysed with progress, and then what is asked about. They are not kept. */

import { get, listen, post, remove, tell, trackPath } from "./api.js";
import { keyPill } from "./camelot.js";
import { h, iconButton, show } from "./dom.js";
import { isAudio } from "./dropped_files.js";
import { counted, fixed, whole } from "./format.js";
import { icon } from "./icons.js";
import { progressBar, progressText, watch } from "./jobs.js";
import { isPlaying, toggle } from "./player.js";
import { addSeed, change, useAsQuery } from "./query_state.js";
import { isEmpty } from "./store.js";
import { announce, report, toast } from "./toast.js";
import { bindRow } from "./track_buttons.js";

const AT_ONCE = 2; // files that are sent at the same time; more would wait on the server
const MOST = 100; // files of one drop

// {name, file, batch, state: "waiting"|"sending"|"analysing"|"done"|"failed", text, share, job, id, track, gaveUp}
const uploads = [];
let working = 0;

/** Take files in. The first one that can be read is asked about; of several, all are listed with what they are. */
export function takeFiles(files) {
  if (isEmpty()) return toast("There is no library to search in yet; index a folder of music first.", { kind: "error" });
  const audio = files.filter(isAudio);
  const bad = files.length - audio.length;
  if (bad) toast(`${counted(bad, "file")} left out: not audio.`, { kind: "error" });
  else if (!files.length) toast("There is no audio file in it.", { kind: "error" });
  if (audio.length > MOST) {
    toast(`The first ${MOST} of ${whole(audio.length)} files are taken. ` +
      "To search in all of them, index their folder in the view Library.", { kind: "error" });
  }
  if (!audio.length) return undefined;
  const batch = { files: [], asked: false }; // those that came together
  batch.files = audio.slice(0, MOST).map((file) => ({
    name: file.name, file, batch, state: "waiting", text: "waiting", share: null, job: null, id: null, track: null,
    gaveUp: new AbortController(),
  }));
  uploads.push(...batch.files);
  if (!location.hash.startsWith("#/find")) location.hash = "#/find";
  tell("uploads");
  next();
  return undefined;
}

function next() {
  const upload = uploads.find((one) => one.state === "waiting");
  if (!upload || working >= AT_ONCE) return;
  working += 1;
  send(upload).finally(() => {
    working -= 1;
    next();
  });
  next();
}

async function send(upload) {
  const { signal } = upload.gaveUp;
  const say = (state, text, share = null) => { Object.assign(upload, { state, text, share }); tell("uploads"); };
  say("sending", "sending");
  try {
    const { id, job } = await post(`uploads?name=${encodeURIComponent(upload.name)}`, upload.file, { signal });
    upload.id = id;
    const last = await watch(job, (now) => {
      upload.job = now;
      say("analysing", now.state === "waiting" ? "waiting for its turn" : `analysing ${progressText(now)}`,
        now.total ? now.done / now.total : null);
    });
    if (last.state !== "done") return drop(upload);
    const track = await get(trackPath(last.track ?? id), {}, { signal });
    if (signal.aborted) return undefined;
    upload.track = { ...track, id: last.track ?? id, title: track.title || upload.name };
    say("done", "analysed");
    announce(`${upload.name} is analysed`);
    await askFirst(upload.batch);
    if (upload.batch.files.length === 1) setTimeout(drop, 1500, upload); // what it is stands in the panel
  } catch (error) {
    if (signal.aborted) return undefined;
    const why = error.message.replace(`${upload.name}: `, ""); // the name stands beside it
    const text = `${upload.name}: ${why}`;
    say("failed", why);
    if (document.querySelector(".uploads .failed")) announce(text); // it stands in the list
    else if (error.status !== 0) report(Object.assign(new Error(text), { status: error.status || 500 }));
    await askFirst(upload.batch);
  }
  return undefined;
}

/** Ask about the first one of files that came together, unless it cannot be read. */
async function askFirst(batch) {
  const first = batch.files.find((one) => one.state !== "failed");
  if (batch.asked || first?.state !== "done") return;
  batch.asked = true;
  await change({ seeds: [first.track], playlist: false });
}

function drop(upload) {
  const at = uploads.indexOf(upload);
  if (at >= 0) uploads.splice(at, 1);
  if (!upload.track) { // it was cancelled, or failed
    upload.batch.files = upload.batch.files.filter((one) => one !== upload);
    askFirst(upload.batch);
  }
  tell("uploads");
}

async function cancel(upload) {
  upload.gaveUp.abort();
  drop(upload);
  try {
    if (upload.job && upload.state === "analysing") await remove(`jobs/${upload.job.id}`);
    if (upload.id && upload.state !== "done") await remove(`uploads/${upload.id}`);
  } catch (error) {
    if (error.status !== 404) report(error);
  }
}

function uploadRow(upload) {
  const bar = progressBar(`Progress of ${upload.name}`);
  const text = h("span");
  const button = iconButton(icon("close"), "", () => cancel(upload));
  const element = h("li", {}, h("span", { class: "name", text: upload.name }), bar.element, text, button);
  element.update = () => {
    const failed = upload.state === "failed";
    element.className = upload.state;
    bar.element.hidden = failed;
    bar.set({ total: upload.share === null ? 0 : 1, done: upload.share });
    text.className = failed ? "error" : "muted";
    text.textContent = upload.text;
    button.title = `${failed ? "Dismiss" : "Cancel"} ${upload.name}`;
    button.setAttribute("aria-label", button.title);
  };
  return element;
}

/** Return the row of an analysed file: what it is, and what can be done with it. */
function analysedRow(upload) {
  const { track, name } = upload;
  const playing = () => toggle(track);
  const button = iconButton(icon("play"), `Play ${name}`, playing, { class: "play" });
  const element = h("li", { class: "done facts", tabindex: -1 }, button,
    h("span", { class: "name", text: track.title, title: track.title }),
    h("span", { class: "bpm", text: fixed(track.bpm) }), keyPill(track.camelot, track.key),
    h("span", { class: "muted energy", text: `energy ${fixed(track.energy)}` }),
    h("button", { type: "button", "aria-label": `Ask about ${name}`, text: "Ask", onclick: () => useAsQuery(track) }),
    iconButton(icon("add"), `Also like ${name}`, () => addSeed(track)), iconButton(icon("close"), `Dismiss ${name}`, () => drop(upload)));
  element.update = () => show(button, icon(isPlaying(track.id) ? "pause" : "play"));
  return bindRow(element, track, { play: playing });
}

/** Return what can be done with all files of the list. */
function listButtons() {
  const analysed = () => uploads.filter((one) => one.track);
  return h("li", { class: "all" },
    h("button", { type: "button", class: "quiet", text: "Ask about all", onclick: () => useAsQuery(analysed().map((one) => one.track)) }),
    h("button", { type: "button", class: "quiet", text: "Clear this list", onclick: () => {
      for (const one of uploads.filter(({ state }) => ["failed", "done"].includes(state))) drop(one);
    } }));
}

/** Return the list of files on their way, and of those that came together. */
export function uploadList(signal) {
  const list = h("ul", { class: "uploads plain", "aria-label": "Files that were dropped" });
  const buttons = listButtons();
  const rows = new Map(); // {upload: its row}
  const update = () => {
    list.hidden = !uploads.length;
    for (const [upload, row] of rows) {
      if (uploads.includes(upload)) continue;
      row.remove();
      rows.delete(upload);
    }
    for (const upload of uploads) {
      const analysed = upload.track && upload.batch.files.length > 1;
      const row = rows.get(upload);
      if (!row || (analysed && !row.classList.contains("facts"))) {
        rows.set(upload, analysed ? analysedRow(upload) : uploadRow(upload));
        if (row) row.replaceWith(rows.get(upload));
        else list.append(rows.get(upload));
      }
      rows.get(upload).update();
    }
    if (uploads.filter((one) => one.track).length < 2) buttons.remove();
    else if (list.lastElementChild !== buttons) list.append(buttons);
  };
  update();
  listen("uploads", update, signal);
  listen("player", () => { for (const row of rows.values()) row.update(); }, signal);
  return list;
}

listen("user", () => {
  for (const upload of uploads.splice(0)) upload.gaveUp.abort();
  tell("uploads");
});
