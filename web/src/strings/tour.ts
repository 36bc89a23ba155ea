/** What the tour says. */
import type { Step } from '../tour/steps';

export const tour = {
  tour: 'Tour',
  tour_title: 'The first five minutes',
  tour_offer:
    'Try it on a short rendered walk: label three frames, have the others filled in, put one right, export COCO. The sample becomes a project like any other, to be deleted when you like.',
  tour_begin: 'Begin the tour',
  tour_refuse: 'Not now',
  tour_take: 'Take the tour',
  tour_leave: 'Leave the tour',
  tour_close: 'Close',
  tour_done: (step: string) => `${step}: done`,
  tour_project: 'Tour: a walk',
  tour_file: 'walk.mp4',
  tour_no_sample: 'The sample cannot be fetched.',
  tour_step: { ready: 'Sample', label: 'Label three frames', propagate: 'Propagate', fix: 'Fix one', export: 'Export' } satisfies Record<Step, string>,
  tour_says: {
    ready: 'The sample is being read…',
    label: 'Click where the keypoint is that is named above the picture; right-click where it is hidden.',
    propagate: 'Press Propagate (Ctrl Enter): the frames between yours are filled in.',
    fix: 'R goes to the pose that is least sure. Drag one of its keypoints to where it belongs.',
    export: 'Export the poses as COCO keypoints.',
  } satisfies Record<Step, string>,
  tour_late: 'The sample is still being read. Perhaps no worker is running: “posetween up” starts two, “posetween worker” one.',
  tour_missing: (count: number) => `${count} keypoint${count === 1 ? '' : 's'} of this frame to go. To what was skipped: Enter.`,
  tour_next_frame: (done: number, of: number) =>
    `${done} of ${of} done. ${done === 1 ? 'Now the middle: G, 30, Enter' : 'Now the last frame: End'}, and click again.`,
  tour_end: (minutes: number) =>
    `That was all of it, in ${minutes < 1.5 ? `${Math.max(1, Math.round(minutes * 60))} seconds` : `${Math.round(minutes)} minutes`}. Now a video of your own: + New project.`,
  tour_to_video: 'To the sample',
  tour_to_exports: 'To the exports',
};
