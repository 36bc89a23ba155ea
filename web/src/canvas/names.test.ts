import { expect, it } from 'vitest';
import { shortened } from './names';

it('writes short names beside a point whole, and long ones cut between letters', () => {
  expect(shortened('left_wrist')).toBe('left_wrist');
  expect(shortened('M'.repeat(32))).toBe('M'.repeat(32));
  expect(shortened('𝔐'.repeat(200))).toBe(`${'𝔐'.repeat(31)}…`);
});
