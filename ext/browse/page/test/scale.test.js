import assert from 'node:assert/strict';
import test from 'node:test';
import {CATEGORIES, NO_VALUE, makeScale, sequentialColor} from '../scale.js';

test('the ends and the middle are those of viridis', () => {
  assert.equal(sequentialColor(0), 'rgb(68, 1, 84)'); // matplotlib.colormaps["viridis"](0.0, bytes=True)
  assert.equal(sequentialColor(1), 'rgb(253, 231, 37)');
  assert.equal(sequentialColor(0.5), 'rgb(33, 145, 140)');
  assert.equal(sequentialColor(7), sequentialColor(1));
});

test('fractions keep 0 to 1, whatever is in view', () => {
  const scale = makeScale('cloud', 'number', [0.2, 0.3]);
  assert.equal(scale.color(1), sequentialColor(1));
  assert.equal(scale.color(null), NO_VALUE);
});

test('other numbers take what is in view; one value alone is the middle', () => {
  const scale = makeScale('sql:x', 'number', [10, null, 20]);
  assert.deepEqual([scale.lo, scale.hi, scale.color(20)], [10, 20, sequentialColor(1)]);
  assert.equal(makeScale('sql:x', 'number', [5]).color(5), sequentialColor(0.5));
  assert.equal(makeScale('sql:x', 'number', []).color(0), sequentialColor(0));
});

test('names get the colours of the palette, rare ones the last', () => {
  const names = Array.from({length: 12}, (_, i) => `n${i}`);
  const scale = makeScale('platform', 'text', [...names, ...names.slice(0, 7), null]);
  assert.deepEqual(scale.names, names.slice(0, 7));
  assert.equal(scale.n_more, 5);
  assert.equal(scale.color('n0'), CATEGORIES[0]);
  assert.equal(scale.color('n11'), CATEGORIES.at(-1));
  assert.equal(scale.color(null), NO_VALUE);
});

test('neighbouring colours of the palette differ in lightness or hue for every kind of sight', () => {
  // Machado, Oliveira and Fernandes (2009), severity 1: linear RGB as seen without one kind of cone.
  const kinds = [[[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]]];
  const linear = (hex) => [1, 3, 5].map((i) => (parseInt(hex.slice(i, i + 2), 16) / 255) ** 2.2);
  for (const m of kinds) {
    const seen = CATEGORIES.map(linear).map((c) => m.map((row) => Math.max(0, row.reduce((sum, k, i) => sum + k * c[i], 0)) ** (1 / 2.2)));
    for (let i = 0; i < seen.length; i++) {
      for (let j = 0; j < i; j++) assert.ok(Math.hypot(...seen[i].map((v, k) => v - seen[j][k])) > 0.05, `${CATEGORIES[i]} ${CATEGORIES[j]}`);
    }
  }
});
