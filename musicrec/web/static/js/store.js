/** What several views share: who is here, the library, presets and tables of keys, and opinions on tracks. */

import { get, listen, tell } from "./api.js";

export const store = {
  session: null, // of GET /session
  library: null, // of GET /library; null where there is none yet
  presets: null, // of GET /presets
  keys: {}, // {code: {code: score}}
};

const opinions = new Map(); // {id: {opinion, rating}}

/** Read who is here. */
export async function readSession() {
  store.session = await get("session");
  return store.session;
}

/** Read the library and what depends on it. A library that does not exist yet is an empty one. */
export async function readLibrary() {
  const nothing = { tracks: 0, models: [], genres: [], bpm: null, energy: null, sources: [], remarks: [] };
  const { library } = await readSession();
  if (library.tracks === null) {
    store.library = nothing;
    store.presets = { default: { weights: {}, filters: {} }, presets: [], blocks: [], genres: [], tags: [], key_tables: [] };
  } else {
    [store.library, store.presets, store.keys] = await Promise.all([get("library"), get("presets"), get("keys")]);
  }
  tell("library");
}

export const isEmpty = () => !store.library?.tracks;

/** Keep what the server says of opinions. @param {object[]} tracks Rows with `opinion` and `rating`. */
export function learn(tracks) {
  for (const track of tracks) {
    if ("opinion" in track) opinions.set(track.id, { opinion: track.opinion, rating: track.rating });
  }
  return tracks;
}

/** Return {opinion, rating} of a track, as far as it is known. */
export const opinionOf = (id) => opinions.get(id) ?? { opinion: null, rating: null };

/** Keep an opinion, and tell whoever shows it. */
export function setOpinion(id, change) {
  opinions.set(id, { ...opinionOf(id), ...change });
  tell("opinion", { id });
}

listen("user", () => opinions.clear());

/** Return the row of a track from a result of a query. */
export function rowOf(result) {
  const { id, title, artist, album, genre, year, track_id, path, duration_s, bpm, key, camelot, descriptors = {} } = result;
  return { id, title, artist, album, genre, year, track_id, path, duration_s, bpm, key, camelot,
    energy: descriptors.energy ?? null, loudness: descriptors.loudness ?? null, ...opinionOf(id) };
}
