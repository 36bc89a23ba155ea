import { describe, expect, it } from 'vitest';
import { leftSide, mirrored, pairs } from './pairs';

describe('the other side', () => {
  it.each([
    ['left_wrist', 'right_wrist'],
    ['left_x', 'right_x'],
    ['LeftWrist', 'RightWrist'],
    ['leftWrist', 'rightWrist'],
    ['wrist_left', 'wrist_right'],
    ['wristLeft', 'wristRight'],
    ['ear_left_tip', 'ear_right_tip'],
    ['earLeftTip', 'earRightTip'],
    ['leg_left2', 'leg_right2'],
    ['LEFT_EAR', 'RIGHT_EAR'],
    ['wrist_L', 'wrist_R'],
    ['ear.l', 'ear.r'],
    ['L paw', 'R paw'],
    ['L_ear', 'R_ear'],
    ['l-ear', 'r-ear'],
    ['hip:L', 'hip:R'],
    ['L1', 'R1'],
    ['leg_L2', 'leg_R2'],
    ['LF_paw', 'RF_paw'],
    ['paw_LH', 'paw_RH'],
    ['LEar', 'REar'],
    ['lEar', 'rEar'],
    ['paw_LFront', 'paw_RFront'],
    ['earL', 'earR'],
    ['wingL', 'wingR'],
    ['forelegL4', 'forelegR4'],
    ['earL_tip', 'earR_tip'],
    ['kneeLFront', 'kneeRFront'],
  ])('of %s is %s', (name, other) => {
    expect(mirrored(name)).toBe(other);
  });
  it.each(['nose', 'right_wrist', 'R_ear', 'belly', 'wingR', 'forelegR4', 'pelvis', 'skull', 'Lip', 'lower_lip', 'tail_1', 'ILIUM', 'PELVIS', 'TL', 'cleft_lip', 'leg1'])(
    'of %s is nothing',
    (name) => {
      expect(mirrored(name)).toBeNull();
    },
  );
  it('makes pairs where both are there, the left one first', () => {
    expect(pairs(['nose', 'wingR', 'wingL', 'left_eye'])).toEqual([[2, 1]]);
    const fly = ['head', 'forelegL4', 'forelegR4', 'midlegL4', 'midlegR4', 'R_ear', 'L_ear', 'earL', 'earR', 'left_x', 'right_x'];
    expect(pairs(fly)).toEqual([[1, 2], [3, 4], [6, 5], [7, 8], [9, 10]]);
  });
});

describe('the left side', () => {
  it('is read off names as labs write them', () => {
    const names = ['left_eye', 'L ear', 'paw-l', 'wingL', 'forelegL4', 'LeftKnee', 'nose', 'tail', 'skull', 'right_eye', 'wingR'];
    expect([...leftSide(names)]).toEqual([0, 1, 2, 3, 4, 5]);
  });
});
