/** Files that are dropped or chosen: sent, analysed with progress, and then part of the query. They are not kept. */

import { get, listen, post, remove, tell, trackPath } from "./api.js";
import { h, iconButton, show } from "./dom.js";
import { counted } from "./format.js";
import { icon } from "./icons.js";
import { progressBar, progressText, watch } from "./jobs.js";
import { change, query } from "./query_state.js";
import { isEmpty } from "./store.js";
import { announce, report, toast } from "./toast.js";

const AT_ONCE = 2; // files that are sent at the same time; more would wait on the server
const AUDIO = /\.(mp3|flac|wav|ogg|oga|opus|m4a|mp4|aac|aiff?|wma|wv|ape|caf|alac|mka|webm|au)$/i;

const uploads = []; // {name, state: "waiting"|"sending"|"analysing"|"done"|"failed", text, job, id}
let working = 0;

const isAudio = (file) => file.type.startsWith("audio/") || file.type.startsWith("video/") || AUDIO.test(file.name);

/** Take files in: the first one becomes the query, the others further seeds. */
export function takeFiles(files, { also = false } = {}) {
  if (isEmpty()) return toast("There is no library to search in yet; index a folder of music first.", { kind: "error" });
  const good = [...files].filter(isAudio);
  const bad = files.length - good.length;
  if (bad) toast(`${counted(bad, "file")} left out: not audio.`, { kind: "error" });
  if (!good.length) return undefined;
  let first = !also;
  for (const file of good) {
    uploads.push({ name: file.name, file, state: "waiting", text: "waiting", first, job: null, id: null });
    first = false;
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
  const say = (state, text, share = null) => { Object.assign(upload, { state, text, share }); tell("uploads"); };
  say("sending", "sending");
  try {
    const { id, job } = await post(`uploads?name=${encodeURIComponent(upload.name)}`, upload.file);
    upload.id = id;
    say("analysing", "analysing");
    const last = await watch(job, (now) => {
      upload.job = now;
      say("analysing", now.state === "waiting" ? "waiting for its turn" : `analysing ${progressText(now)}`, now.total ? now.done / now.total : null);
    });
    if (last.state !== "done") return drop(upload);
    const track = await get(trackPath(last.track ?? id));
    say("done", "analysed");
    announce(`${upload.name} is analysed`);
    const seed = { ...track, id: last.track ?? id, title: track.title || upload.name };
    const others = query.seeds.filter((one) => one.id !== seed.id);
    await change(upload.first ? { seeds: [seed], playlist: false } : { seeds: [...others, seed] });
    setTimeout(drop, 1500, upload);
  } catch (error) {
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
  drop(upload);
  try {
    if (upload.job && upload.state === "analysing") await remove(`jobs/${upload.job.id}`);
    if (upload.id && upload.state !== "done") await remove(`uploads/${upload.id}`);
  } catch (error) {
    if (error.status !== 404) report(error);
  }
}

/** Return the list of files on their way. */
export function uploadList(signal) {
  const list = h("ul", { class: "uploads plain", "aria-label": "Files on their way" });
  const update = () => {
    list.hidden = !uploads.length;
    show(list, uploads.map((one) => {
      const bar = progressBar(`Progress of ${one.name}`);
      bar.set({ total: one.share === null || one.share === undefined ? 0 : 1, done: one.share ?? 0 });
      return h("li", { class: one.state }, h("span", { class: "name", text: one.name }),
        one.state === "failed" ? h("span", { class: "error", text: one.text }) : [bar.element, h("span", { class: "muted", text: one.text })],
        iconButton(icon("close"), `${one.state === "failed" ? "Dismiss" : "Cancel"} ${one.name}`, () => cancel(one)));
    }));
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

listen("user", () => uploads.splice(0));
