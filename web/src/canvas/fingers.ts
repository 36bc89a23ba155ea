/** Fingers on the picture: two of them zoom and pan it. */
import type { Spot } from './view';

export class Fingers {
  private at = new Map<number, Spot>();

  /** One is put down; gives how many there are. */
  down(id: number, at: Spot): number {
    return this.at.set(id, at).size;
  }

  /** Where the first two were and are, as one of them moves; null where there are no two, or it is none of all. */
  move(id: number, to: Spot): [[Spot, Spot], [Spot, Spot]] | null {
    const before = [...this.at.values()];
    if (before.length < 2 || !this.at.has(id)) return null;
    this.at.set(id, to);
    const now = [...this.at.values()];
    return [before.slice(0, 2), now.slice(0, 2)] as [[Spot, Spot], [Spot, Spot]];
  }

  lift(id: number): void {
    this.at.delete(id);
  }
}
