import { describe, expect, it } from 'vitest';
import { addressOf, LAB_SCREENS, placeOf, PROJECT_SCREENS, type Place } from './places';

const places: Place[] = [
  { screen: 'home' },
  { screen: 'video', video: 7 },
  { screen: 'runs', video: 7 },
  ...PROJECT_SCREENS.map((screen): Place => ({ screen, project: 3 })),
  ...LAB_SCREENS.map((screen): Place => ({ screen })),
];

describe('places', () => {
  it.each(places)('$screen has an address that leads to it', (place) => {
    expect(placeOf(addressOf(place))).toEqual(place);
  });
  it.each(['#/videos/x', '#/videos/1/2', '#/projects/', '#/projects/1/nothing', '#/jobs/3', '#/else', '#/videos/1/runs/2'])(
    '%s leads nowhere',
    (address) => {
      expect(placeOf(address)).toBeNull();
    },
  );
  it('begins at home', () => {
    expect(placeOf('')).toEqual({ screen: 'home' });
  });
});
