const data = JSON.parse(document.getElementById("playground-data").textContent);
const isValues = data.task === "regression";
const isMany = data.task === "multilabel";
const isText = data.columns.length === 1 && data.columns[0].kind === "text" && data.words.length > 0;

/** What a column is called. */
function columnName(column, place) {
  return column.name ?? `column ${place}`;
}

/** The numbers of a picture from its bytes. */
function numbersOf(bytes) {
  const { low, high } = data.picture;
  return Array.from(bytes, (byte) => low + (byte * (high - low)) / 255);
}

/** The bytes of a stored picture. */
function bytesOf(stored) {
  return Uint8Array.from(atob(stored), (letter) => letter.charCodeAt(0));
}

/** A row as the student takes it. */
function rowOf(stored) {
  return data.picture ? numbersOf(bytesOf(stored)) : stored;
}

/** The student's answers to a row; `error` says why there are none. */
function ask(row) {
  try {
    const answers = (student.predictProba ?? student.predict)(row);
    return { answers, deferred: student.defers ? student.defers(row) : false };
  } catch (error) {
    return { answers: null, error: printable(error.message, 200) };
  }
}

/** The place of the first of the largest numbers. */
function largest(numbers) {
  return numbers.indexOf(Math.max(...numbers));
}

/** What the answers decide, in words. */
function decision(answers) {
  if (isValues) return answers.map(short).join(", ");
  if (!isMany) return printable(data.classes[largest(answers)]);
  return data.classes.filter((_, place) => answers[place] > 0.5).map((name) => printable(name)).join(", ") || "none of the labels";
}

/** A row as a line of JSON, as files and requests spell it: an object if its columns have names. */
function asJson(row) {
  const { columns, picture } = data;
  if (picture) return pictureAsJson(row, picture);
  const cells = columns.map((column, place) => spelt(row[place], column.spelling));
  if (columns.some((column) => column.name === null)) return columns.length === 1 && isText ? JSON.stringify(row[0]) : JSON.stringify(cells);
  return objectOf(columns.map((column) => column.name), cells);
}

function objectOf(names, cells) {
  return `{${names.map((name, place) => `${JSON.stringify(name)}: ${JSON.stringify(cells[place])}`).join(", ")}}`;
}

/** A picture as lists of lists, one list or an object, as the student takes it in Python. */
function pictureAsJson(row, { height, width, channels, layout, in_line: inLine, names }) {
  if (names.length) return objectOf(names, row);
  if (inLine) return JSON.stringify(row);
  const sides = { HW: [height, width], CHW: [channels, height, width], HWC: [height, width, channels] }[layout];
  const inside = sides.slice(1).reduce((a, b) => a * b);
  const nested = (start, [length, ...others]) => {
    if (!others.length) return row.slice(start, start + length);
    const step = others.reduce((a, b) => a * b);
    return Array.from({ length }, (_, place) => nested(start + place * step, others));
  };
  const parts = Array.from({ length: sides[0] }, (_, place) => `  ${JSON.stringify(nested(place * inside, sides.slice(1)))}`);
  return `[\n${parts.join(",\n")}\n]`;
}

/** A cell as files and requests spell it: a truth value, and a date or a duration as a text. */
function spelt(cell, spelling) {
  if (cell === null || spelling === "plain") return cell;
  if (spelling === "boolean") return cell !== 0;
  const micros = Math.round((cell - Math.floor(cell)) * DAY * 1000);
  const days = Math.floor(cell) + (micros === DAY * 1000 ? 1 : 0);
  const clock = new Date(Math.floor(micros / 1000)).toISOString().slice(11, 23) + String(micros % 1000).padStart(3, "0");
  const time = micros % (DAY * 1000) === 0 ? "" : clock.replace(/\.?0+$/, "");
  if (spelling === "duration") return `${days} days${time && ` ${days < 0 ? "+" : ""}${time}`}`;
  return dateOf(days) + (time && `T${time}Z`);
}

/** The largest difference of the student's answers in this browser from those in Python, and how many rows differ too much. */
function* checkStudent() {
  let worst = 0;
  let wrong = 0;
  for (const check of data.checks) {
    const { answers } = ask(rowOf(check.row));
    const gaps = check.answers.map((value, place) => Math.abs(value - answers?.[place]) / Math.max(1, Math.abs(value)));
    const gap = answers === null ? Infinity : Math.max(...gaps);
    worst = Math.max(worst, gap);
    if (!(gap <= data.tolerance)) wrong += 1;
    yield;
  }
  return { worst, wrong };
}
