import { expect, it } from 'vitest';
import { general } from './en';
import { screens } from './screens';
import { skeletons } from './skeletons';
import { tour } from './tour';

it('no two sentences have the same name: the later one would be said for both', () => {
  const names = [general, screens, skeletons, tour].flatMap((part) => Object.keys(part));
  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
});
