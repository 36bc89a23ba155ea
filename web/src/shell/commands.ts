/** The ways to other screens, and the theme, as commands of the palette. */
import { session } from '../api/session.svelte';
import type { Command } from '../keys/commands';
import { t } from '../strings';
import { themes } from '../theme/theme.svelte';
import { tour } from '../tour/tour.svelte';
import { addressOf, LAB_SCREENS, PROJECT_SCREENS, type LabScreen, type Place } from './places';

/** Screens of the lab that this key may look at. */
export const labScreens = (): LabScreen[] =>
  LAB_SCREENS.filter((one) => (one === 'members' ? session.may('admin') : one === 'audit' || one === 'trash' ? session.may('lab') : true));

/** From any screen: the tour begins where it would be offered. */
async function takeTour(): Promise<void> {
  location.hash = addressOf({ screen: 'home' });
  await tour.begin();
}

export function screenCommands(project: number | null): Command[] {
  const places: Place[] = [
    ...(project === null ? [] : PROJECT_SCREENS.map((screen): Place => ({ screen, project }))),
    ...labScreens().map((screen): Place => ({ screen })),
  ];
  const going = places.map((place): Command => {
    const screen = place.screen as keyof typeof t.screen;
    return { title: t.go_to_screen(t.screen[screen]), run: () => (location.hash = addressOf(place)) };
  });
  const touring: Command[] = tour.on
    ? [{ title: t.tour_leave, run: () => tour.leave() }]
    : session.may('lab')
      ? [{ title: t.tour_take, run: () => void takeTour() }]
      : [];
  return [...going, ...touring, { title: themes.now === 'dark' ? t.theme_light : t.theme_dark, run: () => themes.toggle() }];
}
