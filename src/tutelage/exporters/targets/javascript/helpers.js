// Functions of which exported modules are made: each is copied into the modules that call it, with those that it calls.
// Vectors are flat arrays of numbers; a Map from places to numbers stands for a vector whose other numbers are zeros.

/** The numbers and the texts of a row. */
function cells(row) {
  if (typeof row === "string") row = [row];
  if (!Array.isArray(row) && !ArrayBuffer.isView(row)) {
    const named = row;
    row = columns.map((name) => {
      if (typeof name !== "string" || !Object.hasOwn(Object(named), name)) throw new TypeError(`the row has no column ${name}`);
      return named[name];
    });
  }
  if (row.length !== columns.length) throw new RangeError(`the row has ${row.length} cells; expected ${columns.length}`);
  const numbers = [];
  const texts = [];
  for (let i = 0; i < row.length; i++) {
    if (isText[i]) texts.push(text(row[i]));
    else numbers.push(number(row[i]));
  }
  return { numbers, texts };
}

/** The numbers of a row, which may be nested arrays. */
function flatNumbers(row) {
  const found = [];
  const add = (part) => {
    if (Array.isArray(part) || ArrayBuffer.isView(part)) for (const each of part) add(each);
    else found.push(number(part));
  };
  add(row);
  const size = shape.reduce((a, b) => a * b, 1);
  if (found.length !== size) throw new RangeError(`the row has ${found.length} numbers; expected ${size}`);
  return found;
}

/** The number in a cell, NaN if it is missing. */
function number(cell) {
  if (typeof cell === "number") return cell;
  if (cell === null || cell === undefined) return NaN;
  if (typeof cell === "boolean" || typeof cell === "bigint") return Number(cell);
  throw new TypeError(`a cell holds a ${typeof cell}; expected a number, or null`);
}

/** The text in a cell, null if it is missing. */
function text(cell) {
  if (typeof cell === "string") return cell;
  if (cell === null || cell === undefined || Number.isNaN(cell)) return null;
  throw new TypeError(`a cell holds a ${typeof cell}; expected a text, or null`);
}

/** The answers, which are numbers. */
function checked(answers) {
  if (answers.some(Number.isNaN)) throw new RangeError("this row has no answer: a number is missing or too large for the student");
  return Array.from(answers);
}

/** The numbers of a table that is stored in base64. */
function unpack(Type, stored) {
  const data = atob(stored);
  const bytes = new Uint8Array(data.length);
  for (let i = 0; i < data.length; i++) bytes[i] = data.charCodeAt(i);
  return new Type(bytes.buffer);
}

/** A function of each number. */
function mapped(x, f) {
  const found = new Float64Array(x.length);
  for (let i = 0; i < x.length; i++) found[i] = f(x[i], i);
  return found;
}

/** The numbers at some places; zero for the place -1. */
function select(x, places) {
  return mapped(places, (place) => (place < 0 ? 0 : x[place]));
}

/** All numbers of a vector that is given as a Map. */
function spread(x, width) {
  const found = new Float64Array(width);
  for (const [place, value] of x) found[place] = value;
  return found;
}

/** Vectors one after another, as a Map. */
function joined(parts, widths) {
  const found = new Map();
  let start = 0;
  parts.forEach((part, i) => {
    for (const [place, value] of part.entries()) found.set(start + place, value);
    start += widths[i];
  });
  return found;
}

/** For each code, one at its place and zeros elsewhere. */
function oneHot(codes, widths) {
  const found = [];
  for (let i = 0; i < codes.length; i++) for (let place = 0; place < widths[i]; place++) found.push(place === codes[i] ? 1 : 0);
  return found;
}

/** The runs of shortest to longest words of a text; a word has at least two letters, digits or underscores. */
function terms(text, lowercase, shortest, longest) {
  const tokens = (lowercase ? (text ?? "").toLowerCase() : (text ?? "")).match(/[\p{L}\p{N}_]{2,}/gu) ?? [];
  const found = [];
  for (let length = shortest; length <= longest; length++) {
    for (let start = 0; start + length <= tokens.length; start++) found.push(tokens.slice(start, start + length).join(" "));
  }
  return found;
}

/** How often each known term occurs, by its place. */
function counted(found, vocabulary) {
  const counts = new Map();
  for (const term of found) {
    const place = vocabulary.get(term);
    if (place !== undefined) counts.set(place, (counts.get(place) ?? 0) + 1);
  }
  return counts;
}

/** How often each term occurs, at the place that its hash gives. */
function hashed(found, width, signed) {
  const counts = new Map();
  for (const term of found) {
    const code = murmur3(new TextEncoder().encode(term));
    const place = Math.abs(code) % width;
    counts.set(place, (counts.get(place) ?? 0) + (signed && code < 0 ? -1 : 1));
  }
  return counts;
}

/** The hash MurmurHash3_x86_32, as a signed number. */
function murmur3(data) {
  let code = 0;
  for (let start = 0; start < data.length; start += 4) {
    let block = data[start] | (data[start + 1] << 8) | (data[start + 2] << 16) | (data[start + 3] << 24);
    block = Math.imul(block, 0xcc9e2d51);
    code ^= Math.imul((block << 15) | (block >>> 17), 0x1b873593);
    if (start + 4 <= data.length) code = (Math.imul((code << 13) | (code >>> 19), 5) + 0xe6546b64) | 0;
  }
  code ^= data.length;
  code = Math.imul(code ^ (code >>> 16), 0x85ebca6b);
  code = Math.imul(code ^ (code >>> 13), 0xc2b2ae35);
  return code ^ (code >>> 16);
}

/** The weights of terms from their counts. */
function weighed(counts, binary, sublinear, weights, norm) {
  let size = 0;
  for (const [place, count] of counts) {
    let value = binary ? 1 : count;
    if (sublinear) value = 1 + Math.log(value);
    if (weights) value *= weights[place];
    counts.set(place, value);
    size += norm === "l2" ? value * value : Math.abs(value);
  }
  if (norm === "l2") size = Math.sqrt(size);
  if (norm && size) for (const [place, value] of counts) counts.set(place, value / size);
  return counts;
}

/** The sum of the leaves that are reached. A child below zero is a leaf: -1 the first, -2 the second; a leaf has `width` numbers. */
function trees(x, { roots, feature, threshold, left, right, missingLeft, leaves, width, divisor, start }) {
  const sums = new Float64Array(start.length);
  for (let tree = 0; tree < roots.length; tree++) {
    let node = roots[tree];
    while (node >= 0) {
      const cell = x[feature[node]];
      node = cell <= threshold[node] || (missingLeft[node] && Number.isNaN(cell)) ? left[node] : right[node];
    }
    const leaf = (-1 - node) * width;
    const output = (tree * width) % sums.length;
    for (let place = 0; place < width; place++) sums[output + place] += leaves[leaf + place];
  }
  return sums.map((sum, i) => sum / divisor + start[i]);
}

/** Weighted sums of every `inputs` numbers: `weights` has as many for each intercept. */
function dense(x, inputs, weights, intercepts) {
  const outputs = intercepts.length;
  const found = new Float64Array((x.length / inputs) * outputs);
  for (let i = 0; i < found.length; i++) {
    const first = Math.floor(i / outputs) * inputs;
    const start = (i % outputs) * inputs;
    let sum = 0;
    for (let input = 0; input < inputs; input++) sum += x[first + input] * weights[start + input];
    found[i] = sum + intercepts[i % outputs];
  }
  return found;
}

/** Weighted sums of a vector that is given as a Map: `weights` has one for each intercept, for each place in turn. */
function sparseDense(x, weights, intercepts) {
  const sums = Float64Array.from(intercepts);
  for (const [place, value] of x) {
    for (let output = 0; output < sums.length; output++) sums[output] += value * weights[place * sums.length + output];
  }
  return sums;
}

/** A convolution over x of (channels, height, width), zeros outside. */
function convolution(x, weights, intercepts, { size, window, stride, padding, dilation, groups, found }) {
  const [inputs, height, width] = size;
  const [rows, columns] = window;
  const channels = inputs / groups;
  const sums = new Float64Array(intercepts.length * found[0] * found[1]);
  let next = 0;
  for (let output = 0; output < intercepts.length; output++) {
    const group = Math.floor(output / (intercepts.length / groups)) * channels;
    for (let top = -padding[0], row = 0; row < found[0]; row++, top += stride[0]) {
      for (let left = -padding[1], column = 0; column < found[1]; column++, left += stride[1]) {
        let sum = intercepts[output];
        let weight = output * channels * rows * columns;
        for (let channel = group; channel < group + channels; channel++) {
          for (let i = 0, y = top; i < rows; i++, y += dilation[0], weight += columns) {
            if (y < 0 || y >= height) continue;
            const line = (channel * height + y) * width;
            for (let j = 0, z = left; j < columns; j++, z += dilation[1]) {
              if (z >= 0 && z < width) sum += x[line + z] * weights[weight + j];
            }
          }
        }
        sums[next++] = sum;
      }
    }
  }
  return sums;
}

/** The mean or the largest number of each window of x of (channels, height, width). */
function pooling(x, mean, countsPadding, { size, window, stride, padding, dilation, found }) {
  const [channels, height, width] = size;
  const results = [];
  for (let channel = 0; channel < channels; channel++) {
    for (let row = 0; row < found[0]; row++) {
      for (let column = 0; column < found[1]; column++) {
        const cells = [];
        for (let i = 0; i < window[0]; i++) {
          const y = row * stride[0] - padding[0] + i * dilation[0];
          for (let j = 0; j < window[1]; j++) {
            const z = column * stride[1] - padding[1] + j * dilation[1];
            if (y >= 0 && y < height && z >= 0 && z < width) cells.push(x[(channel * height + y) * width + z]);
          }
        }
        const count = countsPadding ? window[0] * window[1] : cells.length;
        results.push(mean ? cells.reduce((a, b) => a + b, 0) / count : Math.max(...cells));
      }
    }
  }
  return results;
}

/** (x - mean) * factor + shift, with one of each for a channel. */
function channelNorm(x, mean, factor, shift) {
  const size = x.length / mean.length;
  return mapped(x, (value, i) => {
    const channel = Math.floor(i / size);
    return (value - mean[channel]) * factor[channel] + shift[channel];
  });
}

/** (x - mean) / sqrt(variance + epsilon) * factor + shift for every factor.length numbers. */
function layerNorm(x, epsilon, factor, shift) {
  const found = [];
  for (let first = 0; first < x.length; first += factor.length) {
    const part = Array.from(x.slice(first, first + factor.length));
    const mean = part.reduce((a, b) => a + b, 0) / part.length;
    const variance = part.reduce((sum, value) => sum + (value - mean) * (value - mean), 0) / part.length;
    const scale = Math.sqrt(variance + epsilon);
    part.forEach((value, i) => found.push(((value - mean) / scale) * factor[i] + shift[i]));
  }
  return found;
}

function softmax(x) {
  let largest = -Infinity;
  for (const value of x) largest = Math.max(largest, value);
  const shares = Array.from(x, (value) => Math.exp(value - largest));
  const total = shares.reduce((a, b) => a + b, 0);
  return shares.map((share) => share / total);
}

/** 1 at the place of the largest number, 0 elsewhere. */
function largest(x) {
  const numbers = Array.from(x);
  if (numbers.some(Number.isNaN)) return numbers.map(() => NaN);
  const first = numbers.indexOf(numbers.reduce((a, b) => Math.max(a, b), -Infinity));
  return numbers.map((_, place) => (place === first ? 1 : 0));
}

function sigmoid(x) {
  return x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x));
}

function relu(x) {
  return x <= 0 ? 0 : x;
}

function leakyRelu(x, alpha) {
  return x < 0 ? alpha * x : x;
}

function elu(x, alpha) {
  return x < 0 ? alpha * Math.expm1(x) : x;
}

function gelu(x) {
  return 0.5 * x * (1 + erf(x / Math.SQRT2));
}

/** The error function, by a series whose terms all have the sign of x. */
function erf(x) {
  if (!(Math.abs(x) < 6)) return Math.sign(x);
  let term = x;
  let sum = 0;
  for (let n = 1; sum + term !== sum; n++) {
    sum += term;
    term *= (2 * x * x) / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

function geluTanh(x) {
  return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));
}

function silu(x) {
  return x * sigmoid(x);
}

function logit(x) {
  return Math.log(x) - Math.log1p(-x);
}
