/** Talks to the server. One message per error; a server that does not answer is one event for the whole page. */

const BASE = new URL("api/v1/", document.baseURI);

const bus = new EventTarget();

/** Tell all parts of the page that something has happened, such as "offline", "user", "opinion" or "indexed". */
export const tell = (name, detail) => bus.dispatchEvent(new CustomEvent(name, { detail }));

/** Listen to what other parts tell. What a view listens to ends with its signal, or it would keep the view in memory. */
export function listen(name, act, signal) {
  bus.addEventListener(name, (event) => act(event.detail), { signal });
}

/** An answer that says what is wrong, in one message. */
class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** Return the address of a path below the API; parameters that are null, undefined or "" are left out. */
export function address(path, query = {}) {
  const url = new URL(path, BASE);
  for (const [name, value] of Object.entries(query)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== undefined && one !== "") url.searchParams.append(name, one);
    }
  }
  return url.href;
}

async function request(method, path, { body, query, signal, headers = {}, as = "json" } = {}) {
  const plain = body !== undefined && !(body instanceof Blob);
  let response;
  try {
    response = await fetch(address(path, query), {
      method,
      signal,
      headers: plain ? { "Content-Type": "application/json", ...headers } : headers,
      body: plain ? JSON.stringify(body) : body,
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    tell("offline");
    throw new ApiError(0, "The server does not answer. Is `musicrec serve` still running?");
  }
  tell("online");
  if (response.status === 401) tell("signed out");
  if (!response.ok) throw new ApiError(response.status, await problem(response));
  if (as === "response") return response;
  return response.status === 204 ? null : response.json();
}

async function problem(response) {
  try {
    const { detail } = await response.json();
    if (Array.isArray(detail)) return detail.map((one) => `${one.loc?.slice(1).join(".")}: ${one.msg}`).join("; ");
    return detail || `${response.status} ${response.statusText}`;
  } catch {
    return `${response.status} ${response.statusText}`;
  }
}

export const get = (path, query, options = {}) => request("GET", path, { query, ...options });
export const post = (path, body = {}, options = {}) => request("POST", path, { body, ...options });
export const put = (path, body = {}) => request("PUT", path, { body });
export const remove = (path) => request("DELETE", path);

/** Return whether an id is that of a dropped file, which is not in the library. */
export const isUpload = (id) => String(id).startsWith("u-");

export const trackPath = (id, what = "") => `tracks/${encodeURIComponent(id)}${what}`;

/** Return whether the server answers. */
export async function answers() {
  try {
    return (await fetch(address("session"))).status < 500;
  } catch {
    return false;
  }
}

const LOOK_EVERY_MS = 400;
const GONE = new Set([401, 403, 404]); // the server does not know the job, or not this page
let streaming = false; // one job has a stream; a browser has six connections to a server, and players take some of them

/**
 * Follow a job until it ends, whatever happens to the connection meanwhile.
 * @param {object} job The job as the server returned it.
 * @param {function(object)} act Receives the job after each change.
 * @returns {Promise<object>} The job at its end; rejects with its message if it failed.
 */
export function follow(job, act = () => {}) {
  return new Promise((resolve, reject) => {
    let stream = null;
    let timer = 0;
    let ended = false;
    const end = () => {
      ended = true;
      clearTimeout(timer);
      if (stream) streaming = false;
      stream?.close();
    };
    const settle = (now) => {
      if (ended) return;
      act(now);
      if (["waiting", "running"].includes(now.state)) return;
      end();
      if (now.state === "failed") reject(new ApiError(500, now.message || "The job failed; see the server's messages."));
      else resolve(now);
    };
    const look = async () => {
      try {
        settle(await get(`jobs/${job.id}`));
      } catch (error) {
        if (GONE.has(error.status) && !ended) {
          end();
          reject(error);
        }
      }
      if (!ended) timer = setTimeout(next, LOOK_EVERY_MS);
    };
    const next = () => {
      if (streaming) {
        look();
        return;
      }
      streaming = true;
      stream = new EventSource(address(`jobs/${job.id}/events`));
      for (const name of ["progress", "done", "failed", "cancelled"]) {
        stream.addEventListener(name, (event) => settle(JSON.parse(event.data)));
      }
      stream.onerror = () => { // looking says whether the job is gone, and it is tried again later
        stream.close();
        stream = null;
        streaming = false;
        look();
      };
    };
    settle(job);
    if (!ended) next();
  });
}

/** Save a file that the server makes: under the name that it gives. */
export async function download(path, body, name) {
  const response = await request("POST", path, { body, as: "response" });
  const header = response.headers.get("Content-Disposition") ?? "";
  const coded = /filename\*=(?:UTF-8|utf-8)''([^;]+)/.exec(header);
  const given = coded ? decodeURIComponent(coded[1]) : /filename="?([^";]+)"?/.exec(header)?.[1];
  const url = URL.createObjectURL(await response.blob());
  const link = document.createElement("a");
  Object.assign(link, { href: url, download: given ?? name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
  return given ?? name;
}
