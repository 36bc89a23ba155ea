import { describe, expect, it } from 'vitest';
import { changes } from './changes';
import { NotCoco, readCoco } from './coco';
import { add, draftOf, emptyDraft, fault, otherSide, pairAll, pairUp, place, remove, rename, retire, retyped, skeletonOf, suggested, toggleEdge, unplaced } from './draft';

const skeleton = { name: 'fly', keypoints: ['head', 'wingL', 'wingR'], edges: [[0, 1], [0, 2]], swap: [[1, 2]], sigmas: [0.1, 0.2, 0.3] };

describe('a draft', () => {
  it('is the skeleton it was made from until something is changed', () => {
    const draft = draftOf(skeleton, null, true);
    expect(skeletonOf(draft, 'else')).toEqual({ ...skeleton, retired: [] });
    expect(changes(skeleton, draft)).toEqual([]);
    expect(fault(draft)).toBeNull();
  });
  it('grows by clicks, and pairs sides by their names', () => {
    let draft = add(add(emptyDraft(), 'left_ear', null), 'right_ear', { x: 1, y: 2 });
    expect(draft.swap).toEqual([[0, 1]]);
    expect(unplaced(draft)).toBe(0);
    draft = place(draft, 0, { x: 3, y: 4 });
    expect(unplaced(draft)).toBeNull();
    draft = toggleEdge(draft, 0, 1);
    expect(draft.edges).toEqual([[0, 1]]);
    expect(toggleEdge(draft, 1, 0).edges).toEqual([]);
    expect(toggleEdge(draft, 1, 1)).toBe(draft);
  });
  it('keeps edges and pairs where they were when a keypoint goes', () => {
    const draft = remove(draftOf(skeleton, null, false), 0);
    expect(skeletonOf(draft, '')).toEqual({ name: 'fly', keypoints: ['wingL', 'wingR'], edges: [], swap: [[0, 1]], sigmas: [0.2, 0.3], retired: [] });
  });
  it('keeps pairs, also those that no name tells, when its keypoints are typed anew', () => {
    const drawn = { ...draftOf({ ...skeleton, keypoints: ['tail', 'one', 'two', 'wingL', 'wingR'], swap: [[1, 2]], sigmas: null as never }, null, false) };
    const back = retyped(drawn, { keypoints: drawn.points.map((point) => point.name), edges: [[0, 1]] });
    expect([back.swap, back.edges, back.points]).toEqual([[[1, 2]], [[0, 1]], drawn.points]);
    const more = retyped(drawn, { keypoints: ['two', 'one', 'left_ear', 'right_ear', 'wingL'], edges: [] });
    expect(more.swap).toEqual([[1, 0], [2, 3]]);
    expect(retyped(drawn, { keypoints: ['one'], edges: [] }).swap).toEqual([]);
  });
  it('knows the other side, and gives each keypoint one at most', () => {
    const draft = draftOf(skeleton, null, false);
    expect([otherSide(draft, 1), otherSide(draft, 2), otherSide(draft, 0)]).toEqual([2, 1, null]);
    expect(pairUp(draft, 0, 1).swap).toEqual([[0, 1]]);
    expect(pairUp(draft, 1, null).swap).toEqual([]);
  });
  it('suggests the pairs that names tell, of keypoints that have none yet', () => {
    const keypoints = ['head', 'forelegL4', 'forelegR4', 'L_ear', 'R_ear', 'wingL', 'wingR'];
    const draft = draftOf({ ...skeleton, keypoints, swap: [[5, 0]], sigmas: null as never }, null, true);
    expect(suggested(draft)).toEqual([[1, 2], [3, 4]]);
    expect(suggested(retire(draft, 4, true))).toEqual([[1, 2]]);
    expect(pairAll(draft).swap).toEqual([[5, 0], [1, 2], [3, 4]]);
    expect(suggested(pairAll(draft))).toEqual([]);
  });
  it('says what is wrong with it', () => {
    expect(fault(emptyDraft())).toEqual({ kind: 'none' });
    expect(fault(rename(draftOf(skeleton, null, false), 1, ' '))).toEqual({ kind: 'unnamed', number: 2 });
    expect(fault(rename(draftOf(skeleton, null, false), 1, 'head '))).toEqual({ kind: 'twice', name: 'head' });
  });
  it('tells what becomes of labels', () => {
    let draft = rename(draftOf(skeleton, null, true), 0, 'nose');
    draft = retire(draft, 1, true);
    draft = add(draft, 'tail', null);
    draft = toggleEdge(draft, 0, 3);
    draft = pairUp(draft, 1, null);
    expect(changes(skeleton, draft)).toEqual([
      { kind: 'renamed', from: 'head', to: 'nose' },
      { kind: 'retired', name: 'wingL' },
      { kind: 'added', name: 'tail' },
      { kind: 'edges', added: 1, gone: 0 },
      { kind: 'pairs', added: 0, gone: 1 },
    ]);
    expect(changes(skeleton, remove(draftOf(skeleton, null, true), 2))[0]).toEqual({ kind: 'removed', name: 'wingR' });
    const was = { ...skeleton, retired: ['wingL'] };
    expect(changes(was, retire(draftOf(was, null, true), 1, false))).toEqual([{ kind: 'restored', name: 'wingL' }]);
  });
});

describe('a COCO file', () => {
  const file = {
    categories: [{ id: 3, name: 'mouse', keypoints: ['snout', 'left_ear', 'right_ear'], skeleton: [[1, 2], [1, 3], [1, 9]] }],
    annotations: [
      { category_id: 3, keypoints: [0, 0, 0, 5, 5, 2, 0, 0, 0] },
      { category_id: 3, keypoints: [100, 200, 2, 300, 200, 1, 200, 300, 2] },
    ],
  };
  it('gives its skeleton, counted from zero, and where its fullest pose lies', () => {
    const { skeleton: read, places } = readCoco(JSON.stringify(file));
    expect(read).toEqual({ name: 'mouse', keypoints: ['snout', 'left_ear', 'right_ear'], edges: [[0, 1], [0, 2]], swap: [[1, 2]] });
    expect(places).toEqual([{ x: 8, y: 29 }, { x: 92, y: 29 }, { x: 50, y: 71 }]);
  });
  it.each(['not json', '{}', '{"categories": [{"name": "person"}]}', 'null'])('%s is none', (text) => {
    expect(() => readCoco(text)).toThrow(NotCoco);
  });
});
