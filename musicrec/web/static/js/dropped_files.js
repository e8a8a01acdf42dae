/** The files that are dropped or chosen, also those in folders. What sends them is loaded with the first one. */

import { h } from "./dom.js";
import { icon } from "./icons.js";
import { report } from "./toast.js";

const AUDIO = /\.(mp3|flac|wav|ogg|oga|opus|m4a|mp4|aac|aiff?|wma|wv|ape|caf|alac|mka|webm|au)$/i;

export const isAudio = (file) => file.type.startsWith("audio/") || file.type.startsWith("video/") || AUDIO.test(file.name);
const hasFiles = (event) => event.dataTransfer?.types.includes("Files");

/** Return all files below a folder of a drop. */
async function below(folder) {
  const reader = folder.createReader();
  const entries = [];
  for (;;) { // it hands out a hundred at a time
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) break;
    entries.push(...some);
  }
  entries.sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));
  const found = [];
  for (const one of entries) {
    if (one.isDirectory) found.push(...await below(one));
    else found.push(await new Promise((resolve, reject) => one.file(resolve, reject)));
  }
  return found;
}

/**
 * Return the files of a drop. Of folders it is the audio files, with those in folders inside; pictures and lists that lie
 * beside them are no mistake of the user.
 */
async function droppedFiles(transfer) {
  const files = [...transfer.files];
  const entries = [...transfer.items].map((one) => one.webkitGetAsEntry?.()); // only now: they end with the event
  if (!entries.some((one) => one?.isDirectory)) return files;
  const found = [];
  for (const [i, one] of entries.entries()) {
    if (one?.isDirectory) found.push(...(await below(one)).filter(isAudio));
    else if (files[i]) found.push(files[i]);
  }
  return found;
}

let sent = false;

/** Return whether a file was sent since the page was loaded. */
export const hasSent = () => sent;

function take(files) {
  sent = true;
  Promise.all([import("./uploads.js"), files]).then(([{ takeFiles }, all]) => takeFiles(all)).catch(report);
}

/** Let files and folders be dropped on an element. */
export function dropZone(element) {
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
    take(droppedFiles(event.dataTransfer));
  });
}

/** Return the button that chooses files. */
export function fileButton(kind) {
  const input = h("input",
    { type: "file", multiple: true, accept: "audio/*,.flac,.aiff,.aif,.wma,.m4a,.opus,.wv", class: "unseen", tabindex: -1,
    "aria-hidden": "true", onchange: () => { take([...input.files]); input.value = ""; } });
  return h("span", { class: "file-button" },
    h("button", { type: "button", class: kind, onclick: () => input.click() }, icon("upload"), "Drop or choose files"), input);
}
