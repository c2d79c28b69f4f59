"use strict";

// The integers of one axis: o = stride*i + dilation*j - lo, as in mtconv/geometry.py.
// i counts elements of the small side, j taps, o elements of the big side.

const modulo = (a, b) => ((a % b) + b) % b;

const gcd = (a, b) => (b ? gcd(b, a % b) : a);

function makeAxis(small, big, kernel, stride, dilation, lo) {
  const extent = dilation * (kernel - 1) + 1;
  const full = stride * (small - 1) + extent;
  return { small, big, kernel, stride, dilation, lo, extent, full, hi: full - lo - big };
}

// The size of a convolution's result.
function smallSize(big, kernel, stride, dilation, lo, hi) {
  return Math.floor((big + lo + hi - (dilation * (kernel - 1) + 1)) / stride) + 1;
}

// The size of a transposed convolution's result, without output padding.
function baseSize(small, kernel, stride, dilation, lo, hi) {
  return stride * (small - 1) + dilation * (kernel - 1) + 1 - lo - hi;
}

// The sizes that the convolution maps to the small side.
function bigSizes(small, kernel, stride, dilation, lo, hi) {
  const base = baseSize(small, kernel, stride, dilation, lo, hi);
  const sizes = [];
  for (let size = Math.max(base, 1); size < base + stride; size++) sizes.push(size);
  return sizes;
}

// Every triple (i, j, o) of the relation; o may lie outside of the big side.
function allTaps(axis) {
  const taps = [];
  for (let i = 0; i < axis.small; i++) {
    for (let j = 0; j < axis.kernel; j++) {
      taps.push({ i, j, o: axis.stride * i + axis.dilation * j - axis.lo });
    }
  }
  return taps;
}

const insideBig = (axis, o) => o >= 0 && o < axis.big;

// How many taps reach each element of the big side.
function tapCounts(axis) {
  const counts = new Array(axis.big).fill(0);
  for (const tap of allTaps(axis)) if (insideBig(axis, tap.o)) counts[tap.o] += 1;
  return counts;
}

// The phase of an element of the big side: its residue modulo the stride.
const phaseOf = (axis, o) => modulo(o, axis.stride);

// The numbers of taps of the phases: for each residue, the taps that land on it.
function phaseTaps(axis) {
  const counts = new Array(Math.min(axis.stride, axis.big)).fill(0);
  for (let j = 0; j < axis.kernel; j++) {
    const residue = phaseOf(axis, axis.dilation * j - axis.lo);
    if (residue < counts.length) counts[residue] += 1;
  }
  return counts;
}

// Whether all elements away from the border are reached equally often, and what to change.
function overlapAdvice(axis) {
  const taps = phaseTaps(axis);
  const most = Math.max(...taps);
  const least = Math.min(...taps);
  const common = gcd(axis.stride, axis.dilation);
  if (common > 1) {
    return `holes: stride ${axis.stride} and dilation ${axis.dilation} share the factor ` +
      `${common}, so whole phases get no tap; choose steps without a common factor`;
  }
  if (most === least) return `even: every phase has ${most} tap${most > 1 ? "s" : ""}`;
  if (least === 0) {
    return `holes: ${axis.kernel} taps cannot fill ${axis.stride} phases; ` +
      `choose at least ${axis.stride} taps`;
  }
  return `uneven: phases of ${most} and ${least} taps; ` +
    `a kernel size that ${axis.stride} divides is even`;
}
