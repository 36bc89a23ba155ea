/** What is kept of a review from one video to the next. */
import type { Suggestion } from '../api/types';
import { Away } from './waiting';

class ReviewProgress {
  /** Whether all videos of the project are gone through in turn. */
  everywhere = $state(false);
  done = $state(0);
  since = 0;
  readonly away = new Away();
  /** The suggestion for which a video is being opened. */
  next: Suggestion | null = null;
}

export const progress = new ReviewProgress();
