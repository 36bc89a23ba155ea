import { describe, expect, it } from 'vitest';
import { bisect } from './bisect';

describe('bisecting', () => {
  it('goes to the middle where a machine says nothing', () => {
    expect(bisect([0, 20], 4, 50, undefined)).toBe(10);
    expect(bisect([0, 20], 30, 51, new Float32Array(51).fill(NaN))).toBe(35);
  });
  it('goes where the machine is least sure between the two keyframes, and not beyond them', () => {
    const scores = new Float32Array(50).fill(0.9);
    scores[14] = 0.2;
    scores[30] = 0.1;
    expect(bisect([0, 20], 4, 50, scores)).toBe(14);
    expect(bisect([0, 20], 20, 50, scores)).toBe(30);
  });
  it('takes the frame nearest to the middle of those that are alike', () => {
    expect(bisect([0, 20], 4, 50, new Float32Array(50).fill(0.5))).toBe(10);
  });
});
