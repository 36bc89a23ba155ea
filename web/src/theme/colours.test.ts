import { afterEach, describe, expect, it } from 'vitest';
import { choose, subject, SUBJECTS } from './colours';

type Rgb = [number, number, number];

/** How colours look without one kind of cone: Machado, Oliveira and Fernandes 2009, table 1, severity 1, in linear RGB. */
const SEEN: Record<string, number[][]> = {
  'all cones': [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
  protanopia: [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
  deuteranopia: [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
  tritanopia: [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
};

const linear = (hex: string): Rgb =>
  [1, 3, 5].map((at) => {
    const value = parseInt(hex.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  }) as Rgb;

/** CIE L*a*b* with the white of sRGB. */
function lab([r, g, b]: Rgb): Rgb {
  const xyz = [0.4124 * r + 0.3576 * g + 0.1805 * b, 0.2126 * r + 0.7152 * g + 0.0722 * b, 0.0193 * r + 0.1192 * g + 0.9505 * b];
  const f = (t: number): number => (t > 216 / 24389 ? Math.cbrt(t) : ((24389 / 27) * t + 16) / 116);
  const [x = 0, y = 0, z = 0] = xyz.map((value, index) => f(value / ([0.9505, 1, 1.089][index] ?? 1)));
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

const times = (matrix: number[][], colour: Rgb): Rgb =>
  matrix.map((row) => Math.max(0, Math.min(1, row.reduce((sum, value, index) => sum + value * (colour[index] ?? 0), 0)))) as Rgb;

describe("subjects' colours", () => {
  afterEach(() => choose(new Map()));

  it.each(Object.entries(SEEN))('can be told apart with %s', (_, matrix) => {
    const seen = SUBJECTS.map((hex) => lab(times(matrix, linear(hex))));
    const least = Math.min(...seen.flatMap((a, i) => seen.slice(i + 1).map((b) => Math.hypot(...a.map((value, at) => value - (b[at] ?? 0))))));
    expect(least).toBeGreaterThan(10);
  });
  it('come round again after the last, unless somebody chose one', () => {
    expect(subject(SUBJECTS.length + 1)).toBe(SUBJECTS[0]);
    choose(new Map([[1, '#f0e442']]));
    expect([subject(1), subject(2)]).toEqual(['#f0e442', SUBJECTS[1]]);
  });
});
