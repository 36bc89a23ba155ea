/** Which screen an address means, and the address of a screen. */
export type Place =
  | { screen: 'video' | 'runs'; video: number }
  | { screen: ProjectScreen; project: number }
  | { screen: 'home' | LabScreen };

export const PROJECT_SCREENS = ['videos', 'training', 'exports', 'settings'] as const;
export type ProjectScreen = (typeof PROJECT_SCREENS)[number];
export const LAB_SCREENS = ['jobs', 'trash', 'members', 'audit', 'storage'] as const;
export type LabScreen = (typeof LAB_SCREENS)[number];

const one = <T extends string>(all: readonly T[], text: string | undefined): T | undefined => all.find((each) => each === text);

/** The place that an address' fragment names; null where there is none. */
export function placeOf(hash: string): Place | null {
  const [what = '', number, part, ...rest] = hash.replace(/^#?\/?/, '').split('/');
  if (rest.length) return null;
  if (what === '') return { screen: 'home' };
  const lab = one(LAB_SCREENS, what);
  if (lab) return number === undefined ? { screen: lab } : null;
  if (!number || !/^\d{1,15}$/.test(number)) return null;
  const id = Number(number);
  if (what === 'videos') {
    if (part === undefined) return { screen: 'video', video: id };
    return part === 'runs' ? { screen: 'runs', video: id } : null;
  }
  const screen = part === undefined ? 'videos' : one(PROJECT_SCREENS, part);
  return what === 'projects' && screen ? { screen, project: id } : null;
}

export function addressOf(place: Place): string {
  if ('video' in place) return `#/videos/${place.video}${place.screen === 'runs' ? '/runs' : ''}`;
  if ('project' in place) return `#/projects/${place.project}${place.screen === 'videos' ? '' : `/${place.screen}`}`;
  return place.screen === 'home' ? '#/' : `#/${place.screen}`;
}
