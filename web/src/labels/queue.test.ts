import { beforeEach, describe, expect, it, vi } from 'vitest';
import { Problem } from '../api/problem';
import { applied, asLabel, difference, merged, takenBack, type Edit } from './edits';
import { emptyPose, type Pose, type Said } from './pose';
import { SaveQueue } from './queue';

const pose = (...points: Said[]): Pose => ({ absent: false, points });
const at = (x: number, y = x): Said => ({ x, y, v: 2 });
const diff = (before: Pose | undefined, after: Pose, frame = 1) => difference(7, frame, 1, before, after) as Edit;

describe('an edit', () => {
  it('carries only what changed', () => {
    const edit = diff(pose(at(1), at(2), null), pose(at(1), at(5), null));
    expect(edit.changes).toEqual({ 1: at(5) });
    expect(asLabel(edit)?.keypoints).toEqual([[0, 0, 0], [5, 5, 2], [0, 0, 0]]);
  });

  it('is none where nothing changed: looking makes no keyframe', () => {
    expect(diff(pose(at(1)), pose(at(1)))).toBeNull();
    expect(diff(undefined, emptyPose(3))).toBeNull();
  });

  it('takes back single keypoints, or the whole label', () => {
    expect(takenBack(diff(pose(at(1), at(2)), pose(at(1), null)))).toEqual([1]);
    expect(takenBack(diff(pose(at(1), at(2)), emptyPose(2)))).toBeNull();
  });

  it('says of a keypoint and of a subject that they are absent', () => {
    expect(asLabel(diff(pose(at(1), null), pose(at(1), 'absent')))).toEqual({
      frame_index: 1,
      track_id: 1,
      absent: [1],
    });
    expect(asLabel(diff(pose(at(1)), { absent: true, points: [null] }))?.absent).toBe(true);
  });

  it('merged with a later one comes to the same as one after the other', () => {
    const poses = [pose(null, null), pose(at(1), null), { absent: true, points: [null, null] }, pose(null, at(2))];
    poses.push(pose('absent', at(2)), emptyPose(2), pose(at(3), at(3)));
    for (const a of poses)
      for (const b of poses)
        for (const c of poses) {
          const first = diff(a, b);
          const second = diff(b, c);
          if (!first || !second) continue;
          expect(applied(a, merged(first, second))).toEqual(c);
        }
  });
});

describe('the queue', () => {
  const written: { edits: Edit[]; revision: number }[] = [];
  const kept = new Map<string, Edit>();
  const store = {
    put: async (edit: Edit) => void kept.set(`${edit.frame}`, edit),
    remove: async (edit: Edit) => void kept.delete(`${edit.frame}`),
  };
  let answer: (revision: number) => Promise<number>;
  const queue = () =>
    new SaveQueue(
      3,
      (edits, revision) => {
        written.push({ edits, revision });
        return answer(revision);
      },
      store,
      () => undefined,
    );

  beforeEach(() => {
    vi.useFakeTimers();
    written.length = 0;
    kept.clear();
    answer = async (revision) => revision + 1;
  });

  it('saves within a second, and several edits of a label as one', async () => {
    const one = queue();
    one.add(diff(pose(null, null), pose(at(1), null)));
    one.add(diff(pose(at(1), null), pose(at(1), at(2))));
    expect(one.state).toBe('saving');
    await vi.advanceTimersByTimeAsync(1000);
    expect(written).toHaveLength(1);
    expect(written[0]?.edits[0]?.changes).toEqual({ 0: at(1), 1: at(2) });
    expect([one.state, one.pending, one.revision, kept.size]).toEqual(['saved', 0, 4, 0]);
  });

  it('keeps edits while the service is away, and saves them when it is back', async () => {
    answer = async () => {
      throw new Problem(0, 'away');
    };
    const one = queue();
    one.add(diff(undefined, pose(at(1))));
    await vi.advanceTimersByTimeAsync(500);
    one.add(diff(undefined, pose(at(2)), 2));
    await vi.advanceTimersByTimeAsync(10_000);
    expect([one.state, one.pending, kept.size]).toEqual(['offline', 2, 2]);
    answer = async (revision) => revision + 1;
    await vi.advanceTimersByTimeAsync(3000);
    expect([one.state, one.pending, kept.size]).toEqual(['saved', 0, 0]);
  });

  it('does not lose an edit that is made while another is on its way', async () => {
    let arrive: (revision: number) => void = () => undefined;
    answer = () => new Promise((resolve) => (arrive = resolve));
    const one = queue();
    one.add(diff(undefined, pose(at(1), null)));
    await vi.advanceTimersByTimeAsync(300);
    one.add(diff(pose(at(1), null), pose(at(9), null)));
    expect(one.pending).toBe(2);
    arrive(4);
    await vi.advanceTimersByTimeAsync(10);
    expect(kept.size).toBe(1);
    arrive(5);
    await vi.advanceTimersByTimeAsync(300);
    expect(written.at(-1)?.edits[0]?.changes).toEqual({ 0: at(9) });
    expect([one.state, kept.size]).toEqual(['saved', 0]);
  });

  it('tries again where somebody else changed something else', async () => {
    answer = async (revision) => {
      if (revision === 3) throw new Problem(412, 'stale', 8);
      return revision + 1;
    };
    const one = queue();
    one.add(diff(undefined, pose(at(1))));
    await vi.advanceTimersByTimeAsync(1000);
    expect([one.state, one.revision]).toEqual(['saved', 9]);
  });

  it('asks nobody where somebody else changed another keypoint of the same pose', async () => {
    const known = pose(at(1), at(2));
    const conflict = (theirs: unknown) => ({ frame_index: 1, track_id: 1, yours: [[9, 9, 2], [0, 0, 0]], theirs, revision: 8 }) as never;
    let theirs: unknown = [[1, 1, 2], [7, 7, 2]];
    answer = async (revision) => {
      if (revision !== 8) throw new Problem(412, 'stale', 8, [conflict(theirs)]);
      return revision + 1;
    };
    const one = queue();
    one.add(diff(known, pose(at(9), at(2))));
    await vi.advanceTimersByTimeAsync(1000);
    expect([one.state, one.revision, one.behind, written.length]).toEqual(['saved', 9, true, 2]);
    theirs = [[5, 5, 2], [2, 2, 2]];
    const other = queue();
    other.add(diff(known, pose(at(8), at(2))));
    other.add(diff(pose(at(8), at(2)), pose(at(9), at(2))));
    await vi.advanceTimersByTimeAsync(1000);
    expect(other.state).toBe('conflict');
  });

  it('sends less at a time where so many edits were too large', async () => {
    answer = async (revision) => {
      if (written.at(-1)?.edits.length !== 1) throw new Problem(413, 'too large');
      return revision + 1;
    };
    const one = queue();
    for (const frame of [1, 2, 3]) one.add(diff(undefined, pose(at(1)), frame));
    await vi.advanceTimersByTimeAsync(1000);
    expect(written.map((each) => each.edits.length)).toEqual([3, 1, 1, 1]);
    expect([one.state, one.pending, kept.size]).toEqual(['saved', 0, 0]);
  });

  it('says why the service takes nothing now, and tries again', async () => {
    answer = async () => {
      throw new Problem(507, 'no room is left');
    };
    const one = queue();
    one.add(diff(undefined, pose(at(1))));
    await vi.advanceTimersByTimeAsync(500);
    expect([one.state, one.reason, one.pending]).toEqual(['offline', 'no room is left', 1]);
    answer = async (revision) => revision + 1;
    await vi.advanceTimersByTimeAsync(3000);
    expect([one.state, one.reason]).toEqual(['saved', null]);
  });

  it('goes on sending when its video is left, until somebody else takes over', async () => {
    const one = queue();
    one.add(diff(undefined, pose(at(1))));
    one.close();
    await vi.advanceTimersByTimeAsync(1);
    expect([one.state, written.length]).toEqual(['saved', 1]);
    answer = async () => {
      throw new Problem(0, 'away');
    };
    one.add(diff(undefined, pose(at(1)), 2));
    one.close();
    await vi.advanceTimersByTimeAsync(1);
    expect(one.end().map((edit) => edit.frame)).toEqual([2]);
    const before = written.length;
    await vi.advanceTimersByTimeAsync(10_000);
    expect(written).toHaveLength(before);
  });

  it.each([
    ['mine', 9, 1],
    ['theirs', 8, 0],
  ] as const)('shows a conflict, and lets %s stand', async (whose, revision, more) => {
    const conflict = { frame_index: 1, track_id: 1, yours: [], theirs: [[1, 2, 2]], revision: 8 };
    answer = async (known) => {
      if (known === 3) throw new Problem(412, 'stale', 8, [conflict as never]);
      return known + 1;
    };
    const one = queue();
    one.add(diff(undefined, pose(at(1))));
    await vi.advanceTimersByTimeAsync(5000);
    expect([one.state, one.pending, written.length]).toEqual(['conflict', 1, 1]);
    await one.resolve(whose);
    expect([one.state, one.pending, one.revision, written.length, kept.size]).toEqual(['saved', 0, revision, 1 + more, 0]);
  });

  it('waits for a person to sign in again, then goes on', async () => {
    answer = async () => {
      throw new Problem(401, 'over');
    };
    const one = queue();
    one.add(diff(undefined, pose(at(1))));
    await vi.advanceTimersByTimeAsync(5000);
    expect([one.state, one.pending, written.length]).toEqual(['signed-out', 1, 1]);
    answer = async (revision) => revision + 1;
    await one.flush();
    expect([one.state, one.pending]).toEqual(['saved', 0]);
  });

  it.each([
    ['away', new Problem(0, 'away')],
    ['signed out', new Problem(401, 'over')],
    ['refusing', new Problem(422, 'too large')],
    ['in conflict', new Problem(412, 'stale', 8, [{ frame_index: 1, track_id: 1, yours: [], theirs: [[1, 2, 2]], revision: 8 } as never])],
  ])('has nobody go ahead while the service is %s', async (_, problem) => {
    answer = async () => {
      throw problem;
    };
    const one = queue();
    one.add(diff(undefined, pose(at(1))));
    await expect(one.drain()).rejects.toThrow('not saved yet');
    await expect(one.drain()).rejects.toThrow('not saved yet');
    expect([written.length, one.pending]).toEqual([1, 1]);
  });

  it('lets everybody go ahead when all is saved, and nobody where it ended before', async () => {
    const one = queue();
    one.add(diff(undefined, pose(at(1))));
    await one.drain();
    expect(one.pending).toBe(0);
    one.add(diff(undefined, pose(at(2)), 2));
    one.end();
    await expect(one.drain()).rejects.toThrow('not saved yet');
  });

  it('of a video that was left is sent once somebody is signed in again, of which nobody tells it', async () => {
    answer = async () => {
      throw new Problem(401, 'over');
    };
    const one = queue();
    one.add(diff(undefined, pose(at(1))));
    one.close();
    await vi.advanceTimersByTimeAsync(1);
    expect([one.state, one.pending]).toEqual(['signed-out', 1]);
    answer = async (revision) => revision + 1;
    await vi.advanceTimersByTimeAsync(3000);
    expect([one.state, one.pending, kept.size]).toEqual(['saved', 0, 0]);
  });

  it('says what the service does not take, and keeps it until somebody drops it', async () => {
    answer = async () => {
      throw new Problem(422, 'a coordinate is too large');
    };
    const one = queue();
    one.add(diff(undefined, pose(at(1))));
    await vi.advanceTimersByTimeAsync(5000);
    expect([one.state, one.refusal, one.pending]).toEqual(['refused', 'a coordinate is too large', 1]);
    await one.discard();
    expect([one.state, one.pending, kept.size]).toEqual(['saved', 0, 0]);
  });
});
