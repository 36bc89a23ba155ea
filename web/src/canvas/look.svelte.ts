/** How pictures are looked at: brightness and contrast, kept while the page is open, whatever the video. */
const STEP = 1.12;
const MOST = 6;

class Look {
  brightness = $state(1);
  contrast = $state(1);

  get filter(): string {
    return this.plain ? 'none' : `brightness(${this.brightness.toFixed(2)}) contrast(${this.contrast.toFixed(2)})`;
  }

  get plain(): boolean {
    return this.brightness === 1 && this.contrast === 1;
  }

  change(what: 'brightness' | 'contrast', steps: 1 | -1): void {
    this[what] = Math.max(1 / MOST, Math.min(MOST, this[what] * STEP ** steps));
  }

  reset(): void {
    this.brightness = this.contrast = 1;
  }
}

export const look = new Look();
