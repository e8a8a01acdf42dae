/** Numbers as people read them. What is unknown is a dash. */

export const DASH = "–";

/** Return seconds as 4:05 or 1:02:03. */
export function length(seconds) {
  if (seconds === null || seconds === undefined || Number.isNaN(seconds)) return DASH;
  const whole = Math.floor(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** Return a number with so many digits after the point. */
export function fixed(number, digits = 1) {
  return number === null || number === undefined || Number.isNaN(number) ? DASH : number.toFixed(digits);
}

/** Return a number with its sign: +1.2 or −0.4. */
export function signed(number, digits = 1) {
  return number === null || number === undefined ? "" : `${number < 0 ? "−" : "+"}${Math.abs(number).toFixed(digits)}`;
}

export const whole = (number) => number.toLocaleString("en");

/** Return "1 track" or "83 tracks". */
export function counted(number, what = "track") {
  return `${whole(number)} ${what}${number === 1 ? "" : "s"}`;
}

/** Return a moment as people say it: "14:05", "yesterday 14:05", "3 Nov 14:05". */
export function moment(text) {
  const at = new Date(text);
  if (Number.isNaN(at.getTime())) return "";
  const clock = at.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  const days = Math.round((new Date().setHours(0, 0, 0, 0) - new Date(at).setHours(0, 0, 0, 0)) / 86_400_000);
  if (days === 0) return clock;
  return days === 1 ? `yesterday ${clock}` : `${at.toLocaleDateString("en-GB", { day: "numeric", month: "short" })} ${clock}`;
}

/** Return what people call a track: "artist – title", or what is known of it. */
export function trackName(track) {
  const title = track.title || track.name || track.track_id || track.id;
  return track.artist ? `${track.artist} – ${title}` : String(title);
}

/** Return the names of blocks as words. */
export function blockName(block) {
  const words = { embedding: "sound", variation: "changes over time", tags_mtt: "tags (MTT)", tags_msd: "tags (MSD)" };
  return words[block] ?? (block.startsWith("embedding.") ? `sound (${block.slice(10)})` : block.replaceAll("_", " "));
}

/** Return how a tempo is counted, such as "÷2" for half of it; "" for as it is. */
export const tempoMultiple = (by) => ({ 2: "×2", 0.5: "÷2", 1.5: "3:2", 0.6667: "2:3" })[Number(by?.toFixed(4))] ?? "";
