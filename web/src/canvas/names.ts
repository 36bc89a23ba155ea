/** A name as it is written beside a point: one that is longer would cover the picture. */
const MOST = 32;

export const shortened = (name: string): string => {
  const letters = [...name];
  return letters.length > MOST ? `${letters.slice(0, MOST - 1).join('')}…` : name;
};
