/** One request at a time, and after it the newest that is wanted: those between are never made. */
export class Newest<W, T> {
  private running = false;
  private next: { wanted: W } | null = null;

  constructor(
    private readonly load: (wanted: W) => Promise<T>,
    private readonly arrived: (value: T, wanted: W) => void,
  ) {}

  want(wanted: W): void {
    this.next = { wanted };
    void this.go();
  }

  /** Whatever waits is not wanted any more; what is under way still arrives. */
  forget(): void {
    this.next = null;
  }

  private async go(): Promise<void> {
    if (this.running) return;
    this.running = true;
    while (this.next) {
      const { wanted } = this.next;
      this.next = null;
      try {
        this.arrived(await this.load(wanted), wanted);
      } catch {
        // What was there before stays; whoever wants it still asks again.
      }
    }
    this.running = false;
  }
}
