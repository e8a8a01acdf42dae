/** Files that are dropped or chosen: sent, analysed with progress, and then part of the query. They are not kept. */

import { get, listen, post, remove, tell, trackPath } from "./api.js";
import { h, iconButton } from "./dom.js";
import { counted } from "./format.js";
import { icon } from "./icons.js";
import { progressBar, progressText, watch } from "./jobs.js";
import { change, query } from "./query_state.js";
import { isEmpty } from "./store.js";
import { announce, report, toast } from "./toast.js";

const AT_ONCE = 2; // files that are sent at the same time; more would wait on the server
const AUDIO = /\.(mp3|flac|wav|ogg|oga|opus|m4a|mp4|aac|aiff?|wma|wv|ape|caf|alac|mka|webm|au)$/i;

// {name, file, first, batch, state: "waiting"|"sending"|"analysing"|"done"|"failed", text, share, job, id, gaveUp}
const uploads = [];
let working = 0;

const isAudio = (file) => file.type.startsWith("audio/") || file.type.startsWith("video/") || AUDIO.test(file.name);

/** Take files in: the first one becomes the query, the others further seeds. */
function takeFiles(files) {
  if (isEmpty()) return toast("There is no library to search in yet; index a folder of music first.", { kind: "error" });
  const good = [...files].filter(isAudio);
  const bad = files.length - good.length;
  if (bad) toast(`${counted(bad, "file")} left out: not audio.`, { kind: "error" });
  if (!good.length) return undefined;
  const batch = { begun: false }; // the first of them that is analysed takes the place of what was asked before
  for (const file of good) {
    uploads.push({
      name: file.name, file, first: file === good[0], batch, state: "waiting", text: "waiting", share: null,
      job: null, id: null, gaveUp: new AbortController(),
    });
  }
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
      say("analysing", now.state === "waiting" ? "waiting for its turn" : `analysing ${progressText(now)}`, now.total ? now.done / now.total : null);
    });
    if (last.state !== "done") return drop(upload);
    const track = await get(trackPath(last.track ?? id), {}, { signal });
    if (signal.aborted) return undefined;
    say("done", "analysed");
    announce(`${upload.name} is analysed`);
    const seed = { ...track, id: last.track ?? id, title: track.title || upload.name };
    const others = upload.batch.begun ? query.seeds.filter((one) => one.id !== seed.id) : [];
    upload.batch.begun = true;
    await change({ seeds: upload.first ? [seed, ...others] : [...others, seed], playlist: false });
    setTimeout(drop, 1500, upload);
  } catch (error) {
    if (signal.aborted) return undefined;
    const why = error.message.replace(`${upload.name}: `, ""); // the name stands beside it
    say("failed", why);
    if (error.status !== 0) report(Object.assign(new Error(`${upload.name}: ${why}`), { status: error.status || 500 }));
  }
  return undefined;
}

function drop(upload) {
  const at = uploads.indexOf(upload);
  if (at >= 0) uploads.splice(at, 1);
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

/** Return the list of files on their way. */
export function uploadList(signal) {
  const list = h("ul", { class: "uploads plain", "aria-label": "Files on their way" });
  const rows = new Map(); // {upload: its row}
  const update = () => {
    list.hidden = !uploads.length;
    for (const [upload, row] of rows) {
      if (uploads.includes(upload)) continue;
      row.remove();
      rows.delete(upload);
    }
    for (const upload of uploads) {
      if (!rows.has(upload)) {
        rows.set(upload, uploadRow(upload));
        list.append(rows.get(upload));
      }
      rows.get(upload).update();
    }
  };
  update();
  listen("uploads", update, signal);
  return list;
}

/** Return the button that chooses files. */
export function fileButton(kind) {
  const input = h("input", { type: "file", multiple: true, accept: "audio/*,.flac,.aiff,.aif,.wma,.m4a,.opus,.wv", class: "unseen", tabindex: -1,
    "aria-hidden": "true", onchange: () => { takeFiles(input.files); input.value = ""; } });
  return h("span", { class: "file-button" },
    h("button", { type: "button", class: kind, onclick: () => input.click() }, icon("upload"), "Drop or choose files"), input);
}

/** Let files be dropped on an element. */
export function dropZone(element) {
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  let depth = 0;
  const mark = (by) => {
    depth = by ? depth + by : 0;
    element.classList.toggle("dropping", depth > 0);
  };
  element.addEventListener("dragenter", (event) => { if (hasFiles(event)) mark(1); });
  element.addEventListener("dragleave", (event) => { if (hasFiles(event)) mark(-1); });
  element.addEventListener("dragover", (event) => { if (hasFiles(event)) event.preventDefault(); });
  element.addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    mark(0);
    takeFiles(event.dataTransfer.files);
  });
}

listen("user", () => {
  for (const upload of uploads.splice(0)) upload.gaveUp.abort();
  tell("uploads");
});
