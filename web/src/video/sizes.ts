/**
 * In which size pictures are asked for. A large frame is shrunk by the service to what the window can show of it; as it
 * is it is asked for where somebody looks closer.
 */
export interface Size {
  width: number;
  height: number;
}

/** The service's steps, of which there are four in each doubling: windows of nearly one size share pictures. */
export function stepped(width: number): number {
  const step = Math.max(2 ** Math.max(Math.floor(Math.log2(width)) - 2, 0), 16);
  return Math.ceil(width / step) * step;
}

/** Less than this share of a frame's width is worth a picture of its own. */
const WORTH = 0.7;

/** The width for pictures that fill a place, in pixels of the screen; null where they are best as they are. */
export function fitting(frame: Size, place: Size): number | null {
  const scale = Math.min(place.width / frame.width, place.height / frame.height);
  const width = stepped(Math.max(1, Math.ceil(frame.width * scale)));
  return width < frame.width * WORTH ? width : null;
}

/** What is beside and around the picture on the labelling screen, in CSS pixels; at the least. */
const BESIDE = { width: 280, height: 180 };

/** The place that a window has for a picture, in pixels of the screen. */
export function place(window: { innerWidth: number; innerHeight: number; devicePixelRatio: number }): Size {
  const ratio = window.devicePixelRatio || 1;
  return {
    width: Math.max(1, window.innerWidth - BESIDE.width) * ratio,
    height: Math.max(1, window.innerHeight - BESIDE.height) * ratio,
  };
}
