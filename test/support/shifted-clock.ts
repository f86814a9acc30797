// Loaded into a service process before anything else (`--import`): its wall clock is off by CLOCK_OFFSET_SECONDS. Timers and
// performance.now() keep their pace, as they do on a machine whose clock is wrong.
const TrueDate = Date;
const offset = Number(process.env['CLOCK_OFFSET_SECONDS']) * 1000;

class ShiftedDate extends TrueDate {
  constructor(...parts: [] | [string | number | Date]) {
    if (parts.length === 0) super(TrueDate.now() + offset);
    // The further parts of a local time are passed on as they are.
    else super(...parts);
  }
  static override now(): number {
    return TrueDate.now() + offset;
  }
}
globalThis.Date = ShiftedDate as DateConstructor;
