import { describe, expect, it } from 'vitest';
import { engineOf } from './engine';

describe('a fix', () => {
  it.each([
    ['stdpose', { device: 'cpu' }, 'stdpose'],
    ['stdpose', null, 'stdpose'],
    ['auto', { device: 'cpu' }, 'stdpose'],
    ['auto', null, 'flow'],
    ['flow', null, 'flow'],
    ['linear', null, 'flow'],
    ['single_frame', { device: 'cpu' }, 'flow'],
  ])('of what %s made with %j is propagated with %s', (engine, computed, expected) => {
    expect(engineOf({ engine, computed })).toBe(expected);
  });
  it('of what no run made is propagated with flow', () => {
    expect(engineOf(undefined)).toBe('flow');
  });
});
