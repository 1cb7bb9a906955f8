import assert from 'node:assert/strict';
import test from 'node:test';
import {dateOfDay, dayOfDate, formatCount, formatNumber, formatPercent, sqlName, sqlOfFilter, sqlText} from '../text.js';

test('days since 1970 and dates', () => {
  assert.equal(dayOfDate('1970-01-01'), 0);
  assert.equal(dayOfDate('2024-03-11T14:06:36Z'), 19793); // date -d 2024-03-11 +%s, over 86400
  assert.equal(dayOfDate('1969-12-31'), -1);
  assert.equal(dayOfDate(''), null);
  assert.equal(dayOfDate('never'), null);
  assert.equal(dateOfDay(19793), '2024-03-11');
  assert.equal(dateOfDay(null), '');
});

test('per cent never says 0 or 100 of what is not', () => {
  assert.deepEqual([0, 0.004, 0.126, 0.996, 1, null].map(formatPercent).map((t) => t.replace('\u202f', ' ')), ['0 %', '<1 %', '13 %', '>99 %', '100 %', 'unknown']);
});

test('numbers', () => {
  assert.equal(formatCount(1234567).replace(/\u202f/g, ' '), '1 234 567');
  assert.deepEqual([0, 3, 0.12345, 123456.7, 0.00001234, null].map(formatNumber), ['0', '3', '0.123', '1.23e+5', '1.23e-5', '–']);
});

test('SQL to copy quotes names and texts', () => {
  assert.equal(sqlText("O'Hare"), "'O''Hare'");
  assert.equal(sqlName('a"b'), '"a""b"');
  const filter = {where: 'a OR b', cloud: [0, 0.1], date: ['2024-01-01', '2024-02-01'], platform: ["x'y"]};
  assert.equal(sqlOfFilter(filter), "(a OR b) AND cloud_cover_percentage BETWEEN 0 AND 0.1 AND date BETWEEN '2024-01-01' AND '2024-02-01' AND platform IN ('x''y')");
  assert.equal(sqlOfFilter({}), '');
});
