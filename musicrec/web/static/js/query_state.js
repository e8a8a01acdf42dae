/** What is asked: seeds, what the answer should be unlike, preset, weights and filters; and the answer to it. */

import { get, listen, post, tell, trackPath } from "./api.js";
import { trackName } from "./format.js";
import { fromTab, keepInTab } from "./kept.js";
import { learn, store } from "./store.js";
import { announce, report, toast } from "./toast.js";

const usual = () => ({ seeds: [], unlike: [], towards: null, playlist: false, preset: null, weights: {}, filters: {},
  passage: null, unreliable: false, k: 20, steps: 6 });

export const query = { ...usual(), answer: null, asking: false };
let asking = new AbortController();

function keep() {
  const { answer, asking: _, ...rest } = query;
  keepInTab("query", rest);
}

/** Take up the query of this tab again, after it was loaded anew. */
export function restore() {
  Object.assign(query, fromTab("query"));
}

/** Return the preset that is chosen, or the default. */
export function preset() {
  const { presets, default: usualOne } = store.presets;
  return presets.find((one) => one.name === query.preset) ?? usualOne;
}

/** Return what a filter is set to: by hand, or by the preset. */
export function filterOf(name) {
  const value = name in query.filters ? query.filters[name] : preset().filters?.[name];
  return value?.length === 0 ? null : value ?? null;
}

/** Ask the server; an older request is given up. */
export async function ask() {
  asking.abort();
  asking = new AbortController();
  const { signal } = asking;
  keep();
  if (!query.seeds.length) {
    query.answer = null;
    return tell("answer");
  }
  query.asking = true;
  tell("asking");
  try {
    const answer = await post("query", {
      tracks: query.seeds.map((one) => one.id), unlike: query.unlike.map((one) => one.id), playlist: query.playlist,
      towards: query.towards?.id ?? null, k: query.towards ? query.steps : query.k,
      preset: query.preset, weights: query.weights, filters: query.filters, passage: query.passage, include_unreliable: query.unreliable,
    }, { signal });
    learn(answer.results);
    query.answer = answer;
    query.asking = false;
    tell("answer");
    announce(`${answer.results.length} tracks found`);
  } catch (error) {
    if (signal.aborted) return undefined;
    query.asking = false;
    const refused = error.status !== 0 && query.answer;
    query.answer = refused ? { ...query.answer, results: [], remarks: [error.message] } : null; // null is asked again later
    tell("answer");
    report(error);
    if (error.status === 404) forget();
  }
  return undefined;
}

/** Let go of seeds that the server no longer knows, such as uploads of an earlier day. */
async function forget() {
  if (query.towards && await get(trackPath(query.towards.id)).then(() => false, (error) => error.status === 404)) change({ towards: null });
  for (const list of ["seeds", "unlike"]) {
    const known = await Promise.all(query[list].map((one) => get(trackPath(one.id)).then(() => true, (error) => error.status !== 404)));
    if (known.includes(false)) {
      query[list] = query[list].filter((_, i) => known[i]);
      if (!query.seeds.length) query.answer = null;
      tell("query");
      ask();
    }
  }
}

/** Return whether a path can lead from what is asked about: from one track only. */
export const mayBePath = () => query.seeds.length === 1 && !query.unlike.length && !query.playlist;

/** Change a part of the query, and ask again. */
export function change(parts) {
  Object.assign(query, parts);
  if (!mayBePath()) query.towards = null;
  tell("query");
  return ask();
}

const slim = ({ id, title, artist, track_id, path, name, duration_s, bpm, key, camelot, energy, loudness }) =>
  ({ id, title, artist, track_id, path, name, duration_s, bpm, key, camelot, energy, loudness });
const without = (list, track) => list.filter((one) => one.id !== track.id);
const goToFind = () => { // without a hash, it is shown
  if (location.hash && !location.hash.startsWith("#/find")) location.hash = "#/find";
};

/** Ask about one track, or about several as a playlist that is to be continued. */
export function useAsQuery(tracks, { playlist = false } = {}) {
  goToFind();
  const seeds = [tracks].flat().map(slim);
  return change({ seeds, unlike: query.unlike.filter((one) => !seeds.some((seed) => seed.id === one.id)), towards: null, playlist });
}

/** Add a track that the answer should be like, or unlike. */
export function addSeed(track, list = "seeds") {
  if (list === "unlike" && !query.seeds.length) {
    toast("First choose a track to ask about; then say what the answer should be unlike.");
    return undefined;
  }
  const other = list === "seeds" ? "unlike" : "seeds";
  if (other === "seeds" && query.seeds.length === 1 && query.seeds[0].id === track.id) {
    toast("This is the track you ask about; an answer cannot be unlike it.");
    return undefined;
  }
  toast(list === "seeds" ? `Also like ${trackName(track)}` : `Unlike ${trackName(track)}`);
  return change({ [list]: [...without(query[list], track), slim(track)], [other]: without(query[other], track) });
}

/** Ask for a path from the track of the query to another one; null asks for what goes with it again. */
export function leadTo(track) {
  if (track && track.id === query.seeds[0].id) return toast("A path leads to another track than the one you ask about.");
  return change({ towards: track && slim(track) });
}

/** Take a track out of the query. */
export const removeSeed = (track, list = "seeds") => change({ [list]: without(query[list], track) });

/** Let a seed come first: it gives tempo and key. */
export const putFirst = (track) => change({ seeds: [track, ...without(query.seeds, track)] });

/** Set a weight, or a filter; undefined is what the preset says. */
export function setPart(part, name, value) {
  const { [name]: _, ...rest } = query[part];
  return change({ [part]: value === undefined ? rest : { ...rest, [name]: value } });
}

/** Ask about a track whose id is known, as an address names it. */
export async function askById(id) {
  try {
    const track = await get(trackPath(id));
    learn([track]);
    await useAsQuery(track);
  } catch (error) {
    report(error);
  }
}

listen("user", () => {
  asking.abort();
  Object.assign(query, usual(), { answer: null, asking: false });
  keep();
});
listen("indexed", () => { if (query.seeds.length) ask(); });
