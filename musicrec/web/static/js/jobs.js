/** Long work on the server: how far it is, wherever one is on the page. */

import { follow, get, listen, remove, tell } from "./api.js";
import { openDialog } from "./dialog.js";
import { h, keepFocus, show } from "./dom.js";
import { counted, whole } from "./format.js";
import { isEmpty, readLibrary } from "./store.js";
import { announce, report, toast } from "./toast.js";

const running = new Map(); // {id: job}
const watched = new Set();
const WORDS = { analysis: "Analysing", index: "Indexing", details: "Measuring" };

/** Return how far a job is, in words. */
export function progressText(job) {
  if (job.state === "waiting") return "waiting";
  return job.total ? `${job.done} of ${job.total}` : job.message || "running";
}

/** Return what indexing a folder did, in words. */
export function indexText({ state, result, message }) {
  const { tracks, unreadable_files: bad = 0 } = result ?? {};
  const words = { added: "new", changed: "changed", moved: "moved", unchanged: "unchanged", missing: "missing" };
  const counts = Object.entries(words).filter(([name]) => result?.[name]).map(([name, word]) => `${whole(result[name])} ${word}`);
  const parts = [counts.join(", "), tracks !== undefined && `${counted(tracks)} in the library`,
    bad && `${counted(bad, "file")} could not be read`].filter(Boolean);
  const text = parts.join("; ") || message || "nothing to do";
  return state === "cancelled" ? `Stopped; what was indexed is kept. ${text}` : text;
}

/** Return the list of files that could not be read, each with the reason. */
export function unreadable(bad) {
  return h("ul", { class: "plain problems" }, bad.map(({ path, why }) => h("li", { text: why.includes(path) ? why : `${path}: ${why}` })));
}

/** Follow a job and show it in the corner; see `follow`. */
export async function watch(job, act = () => {}) {
  watched.add(job.id);
  try {
    return await follow(job, (now) => {
      running.set(job.id, now);
      tell("jobs");
      act(now);
    });
  } finally {
    running.delete(job.id);
    tell("jobs");
  }
}

/** Follow the indexing of a folder to its end, and read the library again. */
export async function watchIndex(job, act) {
  let told = 0;
  let read = 0;
  const first = isEmpty();
  try {
    const last = await watch(job, (now) => {
      act?.(now);
      if (first && now.done && Date.now() - read > (isEmpty() ? 2000 : 30_000)) { // one goes on with what is there already
        read = Date.now();
        readLibrary().then(() => tell("grown"), report);
      }
      if (now.total && now.done / now.total >= told + 0.25) {
        told = now.done / now.total;
        announce(`Indexing: ${progressText(now)}`);
      }
    });
    const bad = last.result?.unreadable ?? [];
    toast(`Indexed: ${indexText(last)}`,
      { action: bad.length ? { label: "Which?", run: () => openDialog("What could not be read", unreadable(bad)) } : undefined });
    return last;
  } catch (error) {
    report(error);
    return null;
  } finally {
    await readLibrary().catch(report);
    tell("indexed");
  }
}

/** Follow what was running before the page was opened. */
export async function followRunningJobs() {
  try {
    for (const job of await get("jobs")) {
      if (["waiting", "running"].includes(job.state) && !watched.has(job.id) && job.kind === "index") watchIndex(job);
    }
  } catch (error) {
    report(error);
  }
}

/** Return the bar of a job. */
export function progressBar(label) {
  const bar = h("progress", { max: 1, "aria-label": label });
  return { element: bar, set: (job) => {
    if (job.total) bar.value = job.done / job.total;
    else bar.removeAttribute("value");
  } };
}

/** Return the button that says what is running, and shows it. */
export function jobsButton() {
  const text = h("span");
  const button = h("button", { type: "button", class: "quiet working", hidden: true, onclick: showJobs },
    h("span", { class: "spinner", "aria-hidden": "true" }), text);
  const update = () => {
    const jobs = [...running.values()];
    button.hidden = !jobs.length;
    if (!jobs.length) return;
    const [{ kind, state }] = jobs;
    const others = jobs.length > 1 ? ` +${jobs.length - 1}` : "";
    text.textContent = `${state === "waiting" ? "Waiting" : `${WORDS[kind] ?? "Working"} ${progressText(jobs[0])}`}${others}`;
    button.title = text.textContent;
  };
  listen("jobs", update);
  return button;
}

function showJobs() {
  const list = h("ul", { class: "plain rows" });
  const update = () => keepFocus(list, () => show(list, [...running.values()].map((job) => {
    const what = `${WORDS[job.kind] ?? job.kind} · ${progressText(job)}`;
    return h("li", {}, h("span", { text: job.total ? `${what} ${job.message}` : what }),
      h("button", { type: "button", text: "Cancel", onclick: () => remove(`jobs/${job.id}`).catch(report) }));
  }), !running.size && h("li", { class: "muted", text: "Nothing runs any more." })));
  update();
  const shown = new AbortController();
  listen("jobs", update, shown.signal);
  openDialog("Running", list).closed.then(() => shown.abort());
}
