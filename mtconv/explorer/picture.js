"use strict";

// Pictures as SVG text. Colours are phases; a selected element of the result is outlined,
// and so are the elements and taps that it is the sum of.

const CELL = 34;
const MOST_COLUMNS = 48;
const MOST_GRID = 24;
const MOST_MATRIX = 160;

const fillOf = (phase) => PALETTE[phase % PALETTE.length];

const range = (start, stop) => Array.from({ length: Math.max(stop - start, 0) }, (_, n) => start + n);

const escapeText = (value) =>
  String(value).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

function cellSvg(x, y, size, label, { fill, kind = "", chosen = false, data = "" }) {
  const paint = kind === "cropped" ? "url(#hatch)" : fill || "var(--cell)";
  const small = String(label).length > 3 ? "small" : "";
  const classes = ["cell", kind, small, chosen ? "chosen" : ""].filter(Boolean).join(" ");
  return `<g class="${classes}" ${data}><rect x="${x}" y="${y}" width="${size}" ` +
    `height="${size}" rx="3" style="fill:${paint}"/>` +
    `<text x="${x + size / 2}" y="${y + size / 2}">${escapeText(label)}</text></g>`;
}

function svgFrame(width, height, label, body) {
  return `<svg viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" ` +
    `role="img" aria-label="${escapeText(label)}"><defs><pattern id="hatch" width="6" ` +
    'height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">' +
    '<rect width="6" height="6" class="hatch-ground"/>' +
    '<line x1="0" y1="0" x2="0" y2="6" class="hatch-line"/></pattern></defs>' +
    `${body}</svg>`;
}

// The columns that an axis takes on the big side, cropped or padded ones included.
function bigSpan(axis) {
  const first = Math.min(0, -axis.lo);
  const last = Math.max(axis.big - 1, axis.full - axis.lo - 1);
  return [first, last + 1];
}

const bigLabel = (show, axes, place, counts) => {
  if (show === "phase") return place.map((o, n) => phaseOf(axes[n], o)).join(",");
  if (show === "count") return place.reduce((product, o, n) => product * counts[n][o], 1);
  return place.join(",");
};

// The number of a phase over all axes, the last counting fastest.
const phaseNumber = (axes, place) =>
  place.reduce((number, o, n) => number * axes[n].stride + phaseOf(axes[n], o), 0);

// How an element of the big side is drawn.
function bigKind(model, place) {
  const { axes, counts, state } = model;
  if (axes.some((axis, n) => !insideBig(axis, place[n]))) return "cropped";
  const unreached = place.some((o, n) => counts[n][o] === 0);
  if (!isTransposed(state)) return unreached ? "unread" : "";
  const added = axes.some((axis, n) => place[n] >= axis.big - state.axes[n].extra);
  return [added ? "added" : "", unreached ? "empty" : ""].filter(Boolean).join(" ");
}

// ------------------------------------------------------------------------------ 1-D

function drawLine(model, selection, show) {
  const [axis] = model.axes;
  const transposed = isTransposed(model.state);
  const [first, stop] = bigSpan(axis);
  const shown = Math.min(stop, first + MOST_COLUMNS);
  const columns = range(first, shown);
  const x = (column) => (column - first) * CELL + 4;
  const centre = (i) => axis.stride * i - axis.lo + (axis.extent - 1) / 2;
  const smalls = range(0, axis.small).filter((i) => centre(i) < shown);
  const height = 6 * CELL;
  const [bigY, smallY] = transposed ? [4.4 * CELL, 0.6 * CELL] : [0.6 * CELL, 4.4 * CELL];
  const body = [];
  for (const tap of allTaps(axis)) {
    if (tap.o >= shown || !smalls.includes(tap.i)) continue;
    const on = tapIsSelected([tap], selection, transposed);
    const outside = !insideBig(axis, tap.o);
    const ends = [smallY, bigY].sort((a, b) => a - b);
    const from = transposed ? centre(tap.i) : tap.o;
    const to = transposed ? tap.o : centre(tap.i);
    body.push(`<line class="tap${on ? " on" : ""}${outside ? " outside" : ""}" ` +
      `style="stroke:${fillOf(phaseNumber([axis], [tap.o]))}" x1="${x(from) + CELL / 2}" ` +
      `y1="${ends[0] + CELL - 3}" x2="${x(to) + CELL / 2}" y2="${ends[1] + 3}"/>`);
  }
  for (const i of smalls) {
    body.push(cellSvg(x(centre(i)) + 1, smallY, CELL - 2, i, {
      chosen: smallIsSelected([i], selection, model), data: smallData([i]) }));
  }
  for (const o of columns) {
    body.push(bigCell(model, [o], x(o) + 1, bigY, CELL - 2, selection, show));
  }
  const [above, below] = ["Input x", "Result y"];
  body.push(`<text class="name" x="4" y="${0.35 * CELL}">${above}</text>`);
  body.push(`<text class="name" x="4" y="${5.75 * CELL}">${below}</text>`);
  const width = Math.max(columns.length * CELL + 8, 160);
  return svgFrame(width, height, pictureLabel(model), body.join(""));
}

function bigCell(model, place, x, y, size, selection, show) {
  const { axes, counts } = model;
  const kind = bigKind(model, place);
  const inside = kind !== "cropped";
  return cellSvg(x, y, size, inside ? bigLabel(show, axes, place, counts) : "", {
    kind,
    fill: fillOf(phaseNumber(axes, place)),
    chosen: bigIsSelected(place, selection, model),
    data: inside ? `data-big="${place.join(",")}"` : "",
  });
}

const smallData = (place) => `data-small="${place.join(",")}"`;

function drawKernel(model, selection) {
  const { axes } = model;
  const rows = axes.length === 2 ? axes[0].kernel : 1;
  const terms = selection === null ? [] : termsOf(model, selection);
  const columns = axes[axes.length - 1].kernel;
  const body = [];
  for (const row of range(0, rows)) {
    for (const column of range(0, columns)) {
      const tap = axes.length === 2 ? [row, column] : [column];
      const lands = tap.map((j, n) => axes[n].dilation * j - axes[n].lo);
      body.push(cellSvg(column * CELL + 4, row * CELL + 4, CELL - 2, tap.join(","), {
        fill: fillOf(phaseNumber(axes, lands)),
        chosen: terms.some((term) => same(term.tap, tap)),
      }));
    }
  }
  return svgFrame(columns * CELL + 8, rows * CELL + 8,
    `Kernel of ${axes.map((axis) => axis.kernel).join(" by ")} taps`, body.join(""));
}

// ------------------------------------------------------------------------------ 2-D

function drawGrid(model, side, selection, show) {
  const { axes } = model;
  const big = side === "big";
  const spans = axes.map((axis) => {
    const [first, stop] = big ? bigSpan(axis) : [0, axis.small];
    return [first, Math.min(stop, first + MOST_GRID)];
  });
  const size = big && Math.max(...spans.map(([first, stop]) => stop - first)) > 16 ? 26 : CELL;
  const body = [];
  for (const row of range(...spans[0])) {
    for (const column of range(...spans[1])) {
      const x = (column - spans[1][0]) * size + 4;
      const y = (row - spans[0][0]) * size + 4;
      const place = [row, column];
      if (big) body.push(bigCell(model, place, x, y, size - 2, selection, show));
      else {
        body.push(cellSvg(x, y, size - 2, place.join(","), {
          chosen: smallIsSelected(place, selection, model), data: smallData(place) }));
      }
    }
  }
  const [height, width] = spans.map(([first, stop]) => (stop - first) * size + 8);
  const isResult = big === isTransposed(model.state);
  const sizes = axes.map((axis) => (big ? axis.big : axis.small)).join(" by ");
  return svgFrame(width, height, `${isResult ? "Result" : "Input"} of ${sizes} elements`,
    body.join(""));
}

// --------------------------------------------------------------------------- matrix

function drawMatrix(model) {
  const { axes } = model;
  const transposed = isTransposed(model.state);
  const rows = model.outputSize.reduce((a, b) => a * b, 1);
  const columns = model.inputSize.reduce((a, b) => a * b, 1);
  if (rows > MOST_MATRIX || columns > MOST_MATRIX) return null;
  const most = Math.max(rows, columns);
  const size = most > 64 ? 6 : most > 24 ? 14 : 24;
  const body = [`<rect class="ground" x="4" y="4" width="${columns * size}" ` +
    `height="${rows * size}"/>`];
  for (const row of range(0, rows)) {
    const place = unravel(row, model.outputSize);
    for (const term of termsOf(model, place)) {
      const column = ravel(term.input, model.inputSize);
      const big = transposed ? place : term.input;
      body.push(cellSvg(column * size + 5, row * size + 5, size - 2,
        size > 20 ? term.tap.join(",") : "", { fill: fillOf(phaseNumber(axes, big)) }));
    }
  }
  return svgFrame(columns * size + 8, rows * size + 8,
    `Matrix of ${rows} rows and ${columns} columns; an entry is the number of its tap`,
    body.join(""));
}

const ravel = (place, sizes) => place.reduce((number, i, n) => number * sizes[n] + i, 0);

function unravel(number, sizes) {
  const place = [];
  for (const size of [...sizes].reverse()) {
    place.unshift(number % size);
    number = Math.floor(number / size);
  }
  return place;
}

// ------------------------------------------------------------------------ selection

// The products that one element of the result is the sum of.
function termsOf(model, place) {
  const transposed = isTransposed(model.state);
  const along = model.axes.map((axis, n) => allTaps(axis).filter((tap) =>
    insideBig(axis, tap.o) && (transposed ? tap.o : tap.i) === place[n]));
  let terms = [{ input: [], tap: [] }];
  for (const taps of along) {
    terms = terms.flatMap((term) => taps.map((tap) => ({
      input: [...term.input, transposed ? tap.i : tap.o],
      tap: [...term.tap, tap.j],
    })));
  }
  return terms;
}

const same = (a, b) => a.length === b.length && a.every((value, n) => value === b[n]);

const isInput = (place, selection, model) => selection !== null &&
  termsOf(model, selection).some((term) => same(term.input, place));

const smallIsSelected = (place, selection, model) => (isTransposed(model.state)
  ? isInput(place, selection, model) : selection !== null && same(place, selection));

const bigIsSelected = (place, selection, model) => (isTransposed(model.state)
  ? selection !== null && same(place, selection) : isInput(place, selection, model));

function tapIsSelected([tap], selection, transposed) {
  return selection !== null && selection[0] === (transposed ? tap.o : tap.i);
}

function pictureLabel(model) {
  return `${model.inputSize.join(" by ")} elements of the input, ` +
    `${model.outputSize.join(" by ")} elements of the result, and the taps between them`;
}
