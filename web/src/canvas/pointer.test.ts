import { describe, expect, it } from 'vitest';
import { PointerReader } from './pointer';

const keys = { shift: false, alt: false };

function setup(places: boolean, under: { track: number; keypoint: number } | null) {
  const said: string[] = [];
  const reader = new PointerReader({
    places: () => places,
    under: () => under,
    place: (at, hidden) => said.push(`place ${at.x} ${hidden ? 'hidden' : 'visible'}`),
    choose: (hit) => said.push(`choose ${hit ? hit.keypoint : 'nothing'}`),
    toggle: (hit) => said.push(`toggle ${hit.keypoint}`),
    drag: (_, from, to, whole, done) => said.push(`${whole ? 'shift' : 'drag'} ${to.x - from.x} ${done ? 'done' : ''}`.trim()),
    pan: (by) => said.push(`pan ${by.x}`),
  });
  return { reader, said };
}

const at = (x: number) => ({ x, y: 0 });

describe('a pointer', () => {
  it('places with a click while placing, hidden with the right button', () => {
    const { reader, said } = setup(true, { track: 1, keypoint: 4 });
    reader.down(at(5), 0, keys);
    reader.up(at(6), 0);
    reader.down(at(9), 2, keys);
    reader.up(at(9), 2);
    expect(said).toEqual(['place 6 visible', 'place 9 hidden']);
  });
  it('moves nothing below the threshold', () => {
    const { reader, said } = setup(false, { track: 1, keypoint: 4 });
    reader.down(at(0), 0, keys);
    reader.move(at(3));
    reader.up(at(3), 0);
    expect(said).toEqual(['choose 4', 'choose 4']);
  });
  it('moves one keypoint, and the whole pose only with Shift', () => {
    for (const [shift, word] of [[false, 'drag'], [true, 'shift']] as const) {
      const { reader, said } = setup(false, { track: 1, keypoint: 4 });
      reader.down(at(0), 0, { shift, alt: false });
      reader.move(at(10));
      reader.up(at(12), 0);
      expect(said).toEqual(['choose 4', `${word} 10`, `${word} 12 done`]);
    }
  });
  it('pans where nothing is held', () => {
    const { reader, said } = setup(true, null);
    reader.down(at(0), 0, keys);
    reader.move(at(10));
    reader.move(at(15));
    reader.up(at(15), 0);
    expect(said).toEqual(['pan 10', 'pan 5']);
  });
});
