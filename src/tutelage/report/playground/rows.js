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

/** A row as JSON: an object if its columns have names. */
function asJson(row) {
  const { columns, picture } = data;
  if (picture) {
    const line = (start) => JSON.stringify(row.slice(start, start + picture.width));
    if (picture.layout !== "HW") return JSON.stringify(row);
    return `[\n${Array.from({ length: picture.height }, (_, y) => `  ${line(y * picture.width)}`).join(",\n")}\n]`;
  }
  if (columns.some((column) => column.name === null)) return columns.length === 1 && isText ? JSON.stringify(row[0]) : JSON.stringify(row);
  return `{\n${columns.map((column, place) => `  ${JSON.stringify(column.name)}: ${JSON.stringify(row[place])}`).join(",\n")}\n}`;
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
