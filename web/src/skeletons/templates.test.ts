import { describe, expect, it } from 'vitest';
import { readSkeleton, TEMPLATES, writeEdges } from './templates';

describe('templates', () => {
  it.each(TEMPLATES)('$id is a sound skeleton', ({ keypoints, edges, swap, sigmas }) => {
    expect(new Set(keypoints).size).toBe(keypoints.length);
    for (const [a, b] of [...edges, ...swap]) {
      expect(a).not.toBe(b);
      expect(keypoints[Math.max(a, b)]).toBeDefined();
    }
    expect(swap.length).toBe(keypoints.filter((name) => name.startsWith('left')).length);
    if (sigmas) expect(sigmas).toHaveLength(keypoints.length);
  });
  it.each(TEMPLATES)('$id is the same once it was written and read', (template) => {
    const read = readSkeleton(template.keypoints.join('\n'), writeEdges(template));
    expect(read.edges).toEqual(template.edges);
    expect(read.swap).toEqual(template.swap);
  });
  it('says which edge is none', () => {
    expect(() => readSkeleton('a\nb', 'a - c')).toThrow('c');
    expect(() => readSkeleton('a\nb', 'ab')).toThrow('ab');
    expect(readSkeleton(' a \n\nb\n', 'a – b').edges).toEqual([[0, 1]]);
  });
});
