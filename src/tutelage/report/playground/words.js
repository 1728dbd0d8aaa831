// The playground of a report, in parts that are joined in this order: words, rows, answers, fields, pictures, effects, start.
// Texts of the user's reach the page as text nodes alone. `student` is what the exported module exports.

/** An element with attributes and children; children that are texts stay texts. */
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value !== false) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** An element of a drawing. */
function drawn(name, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const UNPRINTABLE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2028\u2029\u2066-\u2069]|\p{Cs}/gu;
const LONGEST = 60;

/** A text with control characters and directions of writing written out, cut if it is long. */
function printable(text, most = LONGEST) {
  const safe = String(text).replace(UNPRINTABLE, (found) => {
    const code = found.charCodeAt(0).toString(16);
    return code.length > 2 ? `\\u${code.padStart(4, "0")}` : `\\x${code.padStart(2, "0")}`;
  });
  const letters = Array.from(safe);
  return letters.length > most ? `${letters.slice(0, most).join("")}...` : safe;
}

/** A name as an element, whose direction of writing ends with it; the whole name is its title. */
function nameOf(text, most = LONGEST) {
  return element("bdi", Array.from(String(text)).length > most ? { title: printable(text, 300) } : {}, printable(text, most));
}

/** A number with few digits. */
function short(value) {
  if (!Number.isFinite(value)) return String(value);
  return Math.abs(value) >= 1000 ? value.toLocaleString("en", { maximumFractionDigits: 0 }) : String(Number(value.toPrecision(4)));
}

/** A probability in per cent, in one piece. */
function percent(share) {
  const text = share > 0 && share < 0.0005 ? "< 0.1 %" : share < 1 && share > 0.9995 ? "> 99.9 %" : `${(100 * share).toFixed(1)} %`;
  return text.replaceAll(" ", "\u00a0");
}

const DAY = 86400000;

/** The date of a number of days since 1970; "" if it has none. */
function dateOf(days) {
  const date = new Date(Math.floor(days) * DAY);
  return Number.isNaN(date.getTime()) || date.getUTCFullYear() < 1 || date.getUTCFullYear() > 9999 ? "" : date.toISOString().slice(0, 10);
}

/** A count with its noun. */
function counted(count, noun) {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
