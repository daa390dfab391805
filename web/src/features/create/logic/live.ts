/** From a slider's move to a run: throttled, in the place of the run before, latest wins. Knows no page: it is given
 *  how to ask, how to cancel and where to tell. The slider itself never waits for any of it. */

export interface Asker<Request> {
  post: (request: Request, replaces: string | null) => Promise<{ id: string }>; // whose run ends with it
  cancel: (run: string) => Promise<void>;
  asked: (request: Request) => number; // the move's number
  accepted: (move: number, run: string, request: Request) => void;
  refused: (move: number, thrown: unknown) => void;
}

export const THROTTLE_MS = 90;

export class Live<Request> {
  private waiting: Request | null = null;
  private posting = false;
  private last = Number.NEGATIVE_INFINITY;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private run: string | null = null;
  private stops = 0;

  private readonly asker: Asker<Request>;

  constructor(asker: Asker<Request>) {
    this.asker = asker;
  }

  /** The first move goes at once; while moves go on, one every THROTTLE_MS; the last one always goes. */
  move(request: Request): void {
    this.waiting = request;
    if (this.posting || this.timer !== null) return;
    const wait = this.last + THROTTLE_MS - performance.now();
    if (wait <= 0) void this.send();
    else
      this.timer = setTimeout(() => {
        this.timer = null;
        void this.send();
      }, wait);
  }

  /** Ends what runs and forgets what waits. */
  stop(): void {
    this.stops += 1;
    this.waiting = null;
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    this.cancelRun();
  }

  /** A run asked for before a reload: the next move ends it, too. */
  adopt(run: string): void {
    this.run = run;
  }

  /** A run that ended by itself needs no cancel. */
  ended(run: string): void {
    if (this.run === run) this.run = null;
  }

  private cancelRun(): void {
    const run = this.run;
    this.run = null;
    if (run) void this.asker.cancel(run).catch(() => undefined); // it ends by itself at its last token
  }

  private async send(): Promise<void> {
    const request = this.waiting;
    if (request === null) return;
    this.waiting = null;
    this.posting = true;
    this.last = performance.now();
    const move = this.asker.asked(request);
    const stops = this.stops;
    try {
      const { id } = await this.asker.post(request, this.run);
      this.run = id;
      if (this.stops === stops) this.asker.accepted(move, id, request);
      else this.cancelRun(); // it was stopped before it was a run
    } catch (thrown) {
      this.cancelRun();
      this.asker.refused(move, thrown);
    }
    this.posting = false;
    if (this.waiting !== null) this.move(this.waiting);
  }
}
