import { t } from '../strings';
import type { Fault } from './draft';

/** A sentence for what is wrong with a skeleton. */
export function saysFault(fault: Fault): string {
  if (fault.kind === 'none') return t.no_keypoints;
  return fault.kind === 'unnamed' ? t.unnamed_keypoint(fault.number) : t.named_twice(fault.name);
}
