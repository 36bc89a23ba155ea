/** Writing edits over the API. */
import { api, given } from '../api/client';
import { Problem } from '../api/problem';
import { asLabel, takenBack, type Edit } from './edits';
import { labels } from './reading';

/**
 * Write edits that were made knowing a revision of the labels; gives the revision that this made. What is taken back
 * goes first, since a label that is cleared may be put anew.
 */
export async function write(video: number, edits: Edit[], revision: number): Promise<number> {
  let known = revision;
  for (const edit of edits) {
    const gone = takenBack(edit);
    if (gone === null || gone.length) known = await takeBack(video, edit, gone, known);
  }
  const put = edits.map(asLabel).filter((label) => label !== null);
  if (!put.length) return known;
  const params = { path: { video_id: video }, header: { 'if-match': `"${known}"` } };
  const body = { labels: put } as never;
  return (await given(api.PUT('/api/v1/videos/{video_id}/labels', { params, body }))).revision;
}

async function takeBack(video: number, edit: Edit, keypoints: number[] | null, known: number): Promise<number> {
  const query = { frame_index: edit.frame, track_id: edit.track, ...(keypoints ? { keypoint: keypoints } : {}) };
  const params = { path: { video_id: video }, query, header: { 'if-match': `"${known}"` } };
  try {
    return (await given(api.DELETE('/api/v1/videos/{video_id}/labels', { params }))).revision;
  } catch (error) {
    if (error instanceof Problem && error.status === 412) throw await withTheirs(video, edit, known, error);
    throw error;
  }
}

/** The service names no versions where something is taken back: whether somebody changed this label is looked up. */
async function withTheirs(video: number, edit: Edit, known: number, problem: Problem): Promise<Problem> {
  const now = await labels(video, 'human', edit.frame, edit.frame + 1);
  const theirs = now.labels.find((label) => label.track_id === edit.track);
  if (!theirs || (theirs.revision ?? 0) <= known) return problem;
  const conflict = {
    frame_index: edit.frame,
    track_id: edit.track,
    yours: [],
    theirs: theirs.keypoints,
    ...(theirs.absent ? { theirs_absent: theirs.absent } : {}),
    revision: theirs.revision ?? 0,
  };
  return new Problem(412, problem.message, problem.revision, [conflict]);
}
